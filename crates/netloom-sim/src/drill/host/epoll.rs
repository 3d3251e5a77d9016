//! `epoll(7)` over the descriptors of a [`NetloomHost`](super::NetloomHost).

use crate::drill::errno::Errno;
use crate::drill::names::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLONESHOT};
use crate::drill::subject::Fd;

/// A descriptor in an interest list.
#[derive(Debug, Clone, Copy)]
struct Interest {
    fd: Fd,
    events: u32,
    data: u64,
    /// What was reported last, for edges.
    reported: u32,
    /// A one-shot that has been reported.
    spent: bool,
}

/// An epoll instance.
#[derive(Debug, Default)]
pub(super) struct Epoll {
    interests: Vec<Interest>,
}

impl Epoll {
    pub(super) fn control(
        &mut self,
        operation: i32,
        fd: Fd,
        events: u32,
        data: u64,
    ) -> Result<(), Errno> {
        let place = self.interests.iter().position(|known| known.fd == fd);
        let interest = Interest {
            fd,
            events,
            data,
            reported: 0,
            spent: false,
        };
        match (operation, place) {
            (EPOLL_CTL_ADD, None) => self.interests.push(interest),
            (EPOLL_CTL_ADD, Some(_)) => return Err(Errno::EEXIST),
            (EPOLL_CTL_MOD, Some(place)) => self.interests[place] = interest,
            (EPOLL_CTL_DEL, Some(place)) => {
                self.interests.remove(place);
            }
            (EPOLL_CTL_MOD | EPOLL_CTL_DEL, None) => return Err(Errno::ENOENT),
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    /// Forgets a descriptor that was closed.
    pub(super) fn forget(&mut self, fd: Fd) {
        self.interests.retain(|interest| interest.fd != fd);
    }

    /// What is ready, by what `poll` says of each descriptor.
    pub(super) fn ready(&mut self, max: usize, poll: impl Fn(Fd, i16) -> i16) -> Vec<(u32, u64)> {
        let mut ready = Vec::new();
        for interest in &mut self.interests {
            // The events of poll have the same numbers; the flags of epoll stand above them.
            let revents = poll(interest.fd, interest.events as u16 as i16) as u16;
            let events = u32::from(revents);
            let known = std::mem::replace(&mut interest.reported, events);
            let edge = interest.events & EPOLLET == 0 || events & !known != 0;
            if interest.spent || events == 0 || !edge {
                continue;
            }
            if ready.len() == max {
                interest.reported = known;
                continue;
            }
            interest.spent = interest.events & EPOLLONESHOT != 0;
            ready.push((events, interest.data));
        }
        ready
    }
}
