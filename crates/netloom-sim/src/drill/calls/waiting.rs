//! Calls that wait for many descriptors at once, or for nothing.

use super::{Attempt, Outcome, Returned};
use crate::drill::ast::{Call, Expr, ExprKind};
use crate::drill::error::Mismatch;
use crate::drill::runner::Runner;
use crate::drill::values;

impl Runner<'_, '_> {
    /// `poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, timeout_ms)`
    pub(super) fn poll(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let [list, _count, timeout] = self.args(call)?;
        let what = "a list of `{fd=3, events=POLLIN, revents=0}`";
        let mut ready = 0;
        let mut wrong = None;
        for item in values::list(list, what)? {
            let fields = values::fields(item, what)?;
            let (Some(number), Some(events)) = (
                values::field(fields, "fd", 0),
                values::field(fields, "events", 1),
            ) else {
                return values::wrong(item, what);
            };
            let (fd, events) = (self.fd(number)?, values::int(events)? as i16);
            let revents = self.subject.poll(fd, events);
            ready += i64::from(revents != 0);
            if let Some(expected) = values::field(fields, "revents", 2) {
                let anything = matches!(expected.kind, ExprKind::Ellipsis);
                if !anything && values::int(expected)? as i16 != revents {
                    let fd = values::integer(number)?;
                    wrong = Some(format!(
                        "revents of {fd}: {:#x} expected, {revents:#x} came",
                        values::int(expected)?
                    ));
                }
            }
        }
        let deadline = self.deadline(timeout, attempt)?;
        if ready == 0 && self.goes_on(deadline) {
            return Ok(Outcome::Waits {
                timeout: deadline,
                progress: 0,
            });
        }
        Ok(Outcome::Returned(Returned {
            value: Ok(ready),
            wrong,
        }))
    }

    /// When a call gives up: `timeout` milliseconds after it began, never if negative.
    fn deadline(&self, timeout: &Expr, attempt: Attempt) -> Result<Option<u64>, Mismatch> {
        if !attempt.first {
            return Ok(attempt.timeout);
        }
        let millis = u64::try_from(values::int(timeout)?).ok();
        Ok(millis.map(|millis| self.subject.now() + millis * 1_000))
    }

    /// Whether a call that is not ready goes on waiting.
    fn goes_on(&self, deadline: Option<u64>) -> bool {
        deadline.is_none_or(|deadline| self.subject.now() < deadline)
    }

    pub(super) fn epoll_create(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [_size] = self.args(call)?;
        let made = self.subject.epoll_create();
        Ok(made.map(|fd| self.new_fd(call, fd)).into())
    }

    /// `epoll_ctl(epfd, EPOLL_CTL_ADD, fd, {events=EPOLLIN, fd=4})`
    pub(super) fn epoll_ctl(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [epfd, operation, number, event] = self.args(call)?;
        let (epfd, fd) = (self.fd(epfd)?, self.fd(number)?);
        let operation = values::int(operation)?;
        let (events, data) = match event.kind {
            ExprKind::Ellipsis => (0, 0),
            _ => epoll_event(event)?,
        };
        let done = self.subject.epoll_ctl(epfd, operation, fd, events, data);
        Ok(done.map(|()| 0).into())
    }

    /// `epoll_wait(epfd, [{events=EPOLLIN, fd=4}], max, timeout_ms)`
    pub(super) fn epoll_wait(
        &mut self,
        call: &Call,
        attempt: Attempt,
    ) -> Result<Outcome, Mismatch> {
        let [epfd, expected, max, timeout] = self.args(call)?;
        let (epfd, max) = (self.fd(epfd)?, values::length(max)?);
        let ready = match self.subject.epoll_wait(epfd, max) {
            Ok(ready) => ready,
            Err(error) => return Ok(Err(error).into()),
        };
        let deadline = self.deadline(timeout, attempt)?;
        if ready.is_empty() && self.goes_on(deadline) {
            return Ok(Outcome::Waits {
                timeout: deadline,
                progress: 0,
            });
        }
        let mut wrong = None;
        let listed = match &expected.kind {
            ExprKind::Ellipsis => &[][..],
            ExprKind::List(items) => items,
            _ => std::slice::from_ref(expected),
        };
        for (item, came) in listed.iter().zip(&ready) {
            if matches!(item.kind, ExprKind::Ellipsis) {
                continue;
            }
            let (events, data) = epoll_event(item)?;
            if (events, data) != *came {
                wrong = Some(format!(
                    "events {events:#x} of {data} expected, {:#x} of {} came",
                    came.0, came.1
                ));
            }
        }
        Ok(Outcome::Returned(Returned {
            value: Ok(ready.len() as i64),
            wrong,
        }))
    }

    pub(super) fn sleep(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let [time] = self.args(call)?;
        let unit = if call.name == "sleep" { 1_000_000 } else { 1 };
        let deadline = if attempt.first {
            let time = values::length(time)? as u64;
            Some(self.subject.now().saturating_add(time.saturating_mul(unit)))
        } else {
            attempt.timeout
        };
        if self.goes_on(deadline) {
            return Ok(Outcome::Waits {
                timeout: deadline,
                progress: 0,
            });
        }
        Ok(Ok(0).into())
    }
}

/// `{events=EPOLLIN, fd=4}`: the events, and the data (`fd`, `u32`, `u64` or `ptr`).
fn epoll_event(expr: &Expr) -> Result<(u32, u64), Mismatch> {
    let fields = values::fields(expr, "`{events=EPOLLIN, fd=4}`")?;
    let Some(events) = values::field(fields, "events", 0) else {
        return values::wrong(expr, "`events`");
    };
    let data = ["fd", "u32", "u64", "ptr", "data"]
        .iter()
        .find_map(|name| values::field(fields, name, 1));
    let data = match data {
        Some(data) => values::integer(data)? as u64,
        None => 0,
    };
    Ok((values::int(events)? as u32, data))
}
