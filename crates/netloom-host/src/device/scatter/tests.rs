use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use netloom_driver::Place;

use super::read;

/// A descriptor with one frame in it, behind a header of two bytes.
fn device(frame: &[u8]) -> File {
    let (here, there) = UnixDatagram::pair().unwrap();
    there.send(&[&[0xaa; 2], frame].concat()).unwrap();
    File::from(OwnedFd::from(here))
}

/// Reads a frame with a place of so many bytes, in two pieces, from a byte of it on; returns what
/// stands in memory, and what stands in the pieces.
fn read_at(frame: &[u8], head_len: usize, pieces: (usize, usize)) -> (Vec<u8>, Vec<u8>) {
    let mut memory = [0xee; 20];
    let (mut first, mut second) = (vec![0; pieces.0], vec![0; pieces.1]);
    let place = Place {
        head_len,
        pieces: (&mut first, &mut second),
    };
    let (len, apart) = read(&device(frame), &mut memory, 2, place).unwrap();
    assert_eq!(len, frame.len() + 2);
    first.append(&mut second);
    first.truncate(apart);
    (memory[2..len].to_vec(), first)
}

#[test]
fn each_byte_is_where_it_is_wanted() {
    let frame: Vec<u8> = (1..=18).collect();
    assert_eq!(read_at(&frame, 4, (0, 0)), (frame.clone(), vec![]));
    let whole = (vec![1, 2, 3, 4], (5..=18).collect::<Vec<u8>>());
    for pieces in [(14, 0), (0, 14), (5, 9), (14, 7), (40, 40)] {
        let (memory, apart) = read_at(&frame, 4, pieces);
        assert_eq!(
            (&memory[..4], &apart),
            (&whole.0[..], &whole.1),
            "{pieces:?}"
        );
        // Nothing is written where the frame's end would be.
        assert!(memory[4..].iter().all(|&byte| byte == 0xee));
    }
}

#[test]
fn what_is_beyond_the_pieces_stands_where_it_would() {
    let frame: Vec<u8> = (1..=18).collect();
    let (memory, apart) = read_at(&frame, 4, (3, 4));
    assert_eq!(apart, [5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(memory[..4], frame[..4]);
    assert_eq!(memory[4..11], [0xee; 7]);
    assert_eq!(memory[11..], frame[11..]);
}

#[test]
fn a_frame_that_ends_before_its_place_is_whole() {
    let frame = [1, 2, 3];
    assert_eq!(read_at(&frame, 4, (8, 8)), (frame.to_vec(), vec![]));
    assert_eq!(read_at(&frame, 3, (8, 8)), (frame.to_vec(), vec![]));
}

#[test]
fn a_place_beyond_the_memory_is_none() {
    let frame: Vec<u8> = (1..=18).collect();
    for head_len in [18, 19, 400, usize::MAX - 1, usize::MAX] {
        assert_eq!(read_at(&frame, head_len, (8, 8)), (frame.clone(), vec![]));
    }
}
