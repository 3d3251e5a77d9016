//! Whoever looks for a word of the stacks before this one finds it.

use std::fs;
use std::path::{Path, PathBuf};

/// The words of `docs/coming-from.md` that stand for something in these crates.
const WORDS: [&str; 37] = [
    "PortStack",
    "RecvEth",
    "HandleEth",
    "SetAddr",
    "TCPConn",
    "net.Conn",
    "TCPListener",
    "net.Listener",
    "NewDHCPClient",
    "BeginRequest",
    "RequestedAddr",
    "Xid",
    "Hostname",
    "DHCP server",
    "NTP",
    "httpx",
    "Buffer",
    "tcp-address",
    "tcp-handle",
    "tcp-listener",
    "tcp-channel",
    "port allocator",
    "relay",
    "L3L4Build",
    "l3_rx",
    "l4_rx",
    "l4_tx",
    "l3_tx_buffer",
    "l3_tx",
    "l4_poll",
    "l4_local_close",
    "l4_state",
    "TcpConnectionImpl",
    "write",
    // These are names here too.
    "is_connected",
    "reconnect",
    "read_at_least_one",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_word_is_in_the_table_and_is_an_alias_or_a_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Ok(table) = fs::read_to_string(root.join("docs/coming-from.md")) else {
        eprintln!("skipped: coming_from: the package is apart from its repository");
        return;
    };
    let mut files = Vec::new();
    for package in fs::read_dir(root.join("crates")).unwrap().flatten() {
        sources(&package.path().join("src"), &mut files);
    }
    let text: String = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    for word in WORDS {
        assert!(table.contains(word), "{word} is not in docs/coming-from.md");
        let alias = format!("doc(alias = \"{word}\")");
        let name = format!("pub fn {word}(");
        assert!(
            text.contains(&alias) || text.contains(&name),
            "{word} leads nowhere"
        );
    }
}
