//! A device that takes frames in one piece only gets them so.
#![cfg(feature = "gather")]

use netloom_driver::{FrameSink, Full, TxCaps, TxMeta};

#[derive(Default)]
struct OnePiece {
    frames: Vec<Vec<u8>>,
    full: bool,
}

impl FrameSink for OnePiece {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(1500)
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if self.full {
            return Err(Full);
        }
        let mut frame = vec![0; len];
        fill(&mut frame);
        self.frames.push(frame);
        Ok(())
    }
}

#[test]
fn pieces_are_put_together_or_nothing_happens() {
    let mut sink = OnePiece::default();
    let mut filled = 0;
    let mut gather = |sink: &mut OnePiece, payload: (&[u8], &[u8])| {
        let fill = &mut |head: &mut [u8]| {
            filled += 1;
            head.copy_from_slice(b"head");
        };
        sink.gather(4, &TxMeta::default(), fill, payload)
    };
    gather(&mut sink, (b"one", b"two")).unwrap();
    gather(&mut sink, (b"", b"")).unwrap();
    sink.full = true;
    assert_eq!(gather(&mut sink, (b"one", b"two")), Err(Full));
    assert_eq!(sink.frames, [b"headonetwo".as_slice(), b"head"]);
    assert_eq!(filled, 2);
}
