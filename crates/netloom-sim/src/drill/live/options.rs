//! TCP options, byte for byte.

use crate::drill::ast::TcpOption;

/// ExID of the experimental Fast Open option (RFC 7413, RFC 6994).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

/// How many bytes options take.
pub(crate) fn len(options: &[TcpOption]) -> usize {
    let lengths = options.iter().map(|option| match parts(option) {
        (0 | 1, _) => 1,
        (_, data) => data.len() + 2,
    });
    lengths.sum()
}

/// Options as bytes. The parser has seen to it that they end at a multiple of four.
pub(super) fn write(options: &[TcpOption]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for option in options {
        let (kind, data) = parts(option);
        bytes.push(kind);
        if kind > 1 {
            bytes.push(data.len() as u8 + 2);
            bytes.extend(data);
        }
    }
    bytes
}

fn parts(option: &TcpOption) -> (u8, Vec<u8>) {
    match option {
        TcpOption::Eol => (0, Vec::new()),
        TcpOption::Nop => (1, Vec::new()),
        TcpOption::Mss(mss) => (2, mss.to_be_bytes().to_vec()),
        TcpOption::WindowScale(shift) => (3, vec![*shift]),
        TcpOption::SackPermitted => (4, Vec::new()),
        TcpOption::Sack(blocks) => {
            let edges = blocks.iter().flat_map(|(left, right)| [*left, *right]);
            (5, edges.flat_map(u32::to_be_bytes).collect())
        }
        TcpOption::Timestamps { val, ecr } => (8, [val.to_be_bytes(), ecr.to_be_bytes()].concat()),
        TcpOption::Md5(digest) => (19, digest.unwrap_or_default().to_vec()),
        TcpOption::FastOpen {
            experimental: false,
            cookie,
        } => (34, cookie.clone()),
        TcpOption::FastOpen {
            experimental: true,
            cookie,
        } => (254, [&FAST_OPEN_MAGIC[..], cookie].concat()),
        TcpOption::Other { kind, data } => (*kind, data.clone()),
    }
}

/// The options in bytes.
pub(super) fn read(mut bytes: &[u8]) -> Result<Vec<TcpOption>, String> {
    let mut options = Vec::new();
    while let Some((&kind, rest)) = bytes.split_first() {
        if kind == 0 {
            if rest.iter().any(|byte| *byte != 0) {
                //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
                //= type=test
                //# The content of the header beyond the End of
                //# Option List Option MUST be header padding of zeros (MUST-69).
                return Err("bytes after the end of the TCP options are not zero".to_owned());
            }
            options.extend(bytes.iter().map(|_| TcpOption::Eol));
            return Ok(options);
        }
        if kind == 1 {
            options.push(TcpOption::Nop);
            bytes = rest;
            continue;
        }
        let len = usize::from(rest.first().copied().unwrap_or(0));
        if len < 2 || len > bytes.len() {
            return Err(format!("TCP option {kind} has a length of {len}"));
        }
        options.push(option(kind, &bytes[2..len]));
        bytes = &bytes[len..];
    }
    Ok(options)
}

fn option(kind: u8, data: &[u8]) -> TcpOption {
    let word = |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
    match (kind, data.len()) {
        (2, 2) => TcpOption::Mss(u16::from_be_bytes([data[0], data[1]])),
        (3, 1) => TcpOption::WindowScale(data[0]),
        (4, 0) => TcpOption::SackPermitted,
        (5, len) if len > 0 && len % 8 == 0 => TcpOption::Sack(
            (0..len / 8)
                .map(|i| (word(8 * i), word(8 * i + 4)))
                .collect(),
        ),
        (8, 8) => TcpOption::Timestamps {
            val: word(0),
            ecr: word(4),
        },
        (19, 16) => TcpOption::Md5(data.try_into().ok()),
        (34, _) => TcpOption::FastOpen {
            experimental: false,
            cookie: data.to_vec(),
        },
        (254, _) if data.starts_with(&FAST_OPEN_MAGIC) => TcpOption::FastOpen {
            experimental: true,
            cookie: data[2..].to_vec(),
        },
        _ => TcpOption::Other {
            kind,
            data: data.to_vec(),
        },
    }
}
