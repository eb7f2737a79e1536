//! What an instance may take of memory and tables: by its own limits, and by what all guests of the host share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

use super::engine::SandboxOptions;
use super::guest::Data;
use crate::model::LimitMet;

/// What an instance has of memory before it counts against what all share: small ones are many, and seldom use what they
/// begin with.
const UNCOUNTED_BYTES: usize = 2 << 20;

/// What all guests of a host share.
#[derive(Debug)]
pub(super) struct Room {
    /// How many instances may live at once.
    pub(super) instances: u32,
    /// Stack of each, in bytes.
    pub(super) stack_bytes: usize,
    /// Addresses set aside for one memory, in bytes.
    reserved_bytes: usize,
    /// Linear memory of all of them together, in bytes.
    memory_bytes: usize,
    taken: AtomicUsize,
}

impl Room {
    /// `memory_bytes`: of all instances together.
    pub(super) fn new(options: &SandboxOptions, memory_bytes: usize) -> Self {
        Self {
            instances: options.instances,
            stack_bytes: options.stack_bytes,
            reserved_bytes: options.memory_reservation_bytes,
            memory_bytes,
            taken: AtomicUsize::new(0),
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.memory_bytes);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one instance has of it, given back when it is dropped.
pub(super) struct Share {
    pub(super) room: Arc<Room>,
    /// All of its linear memory.
    memory_bytes: usize,
    /// What of that counts against the room.
    counted: usize,
    /// By how much both grew last: taken back if the growth fails after all.
    grew: (usize, usize),
}

impl Share {
    pub(super) fn of(room: Arc<Room>) -> Self {
        Self { room, memory_bytes: 0, counted: 0, grew: (0, 0) }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Goes up to `total` bytes, of which an instance may have `limit`.
    fn grow(&mut self, total: usize, limit: usize) -> Result<(), String> {
        if total > limit {
            return Err(format!("{} (it asked for {total})", LimitMet::new("memory_bytes", limit)));
        }
        let counted = total.saturating_sub(UNCOUNTED_BYTES);
        let more = (total - self.memory_bytes, counted - self.counted);
        if !self.room.take(more.1) {
            let met = LimitMet::of_the_host("guests_memory_bytes", self.room.memory_bytes);
            return Err(format!("{met} (all guests together have that, and it asked for {total})"));
        }
        self.grew = more;
        self.memory_bytes += more.0;
        self.counted += more.1;
        Ok(())
    }

    fn shrink(&mut self) {
        let (memory_bytes, counted) = std::mem::take(&mut self.grew);
        self.memory_bytes -= memory_bytes;
        self.counted -= counted;
        self.room.give_back(counted);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.give_back(self.counted);
    }
}

impl ResourceLimiter for Data {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // Its own module does not allow it: no limit of ours was met.
            return Ok(false);
        }
        let reserved = self.share.room.reserved_bytes;
        if desired > reserved {
            let met = LimitMet::of_the_host("memory_reservation_bytes", reserved);
            self.limit_met = Some(format!("{met} (one of its memories asked for {desired})"));
            return Ok(false);
        }
        let total = self.share.memory_bytes().saturating_sub(current).saturating_add(desired);
        match self.share.grow(total, self.env.limits.memory_bytes) {
            Ok(()) => Ok(true),
            Err(met) => {
                self.limit_met = Some(met);
                Ok(false)
            }
        }
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.share.shrink();
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.env.limits.table_elements;
        if desired > limit {
            self.limit_met = Some(format!("{} (it asked for {desired})", LimitMet::new("table_elements", limit)));
        }
        Ok(desired <= limit)
    }

    fn instances(&self) -> usize {
        self.env.limits.core_instances
    }

    fn tables(&self) -> usize {
        self.env.limits.tables
    }

    fn memories(&self) -> usize {
        self.env.limits.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn what_is_taken_is_bounded_by_ones_own_limit_and_by_what_all_share_and_comes_back() {
        let room = Arc::new(Room::new(&SandboxOptions::default(), 10 * MIB));
        let mut first = Share::of(room.clone());
        first.grow(9 * MIB, 20 * MIB).expect("there is room");
        let mut second = Share::of(room.clone());
        second.grow(2 * MIB, 20 * MIB).expect("so little is not counted");
        let met = second.grow(6 * MIB, 20 * MIB).expect_err("seven and four are more than ten");
        assert!(met.contains("limit guests_memory_bytes = 10485760;") && met.contains("asked for 6291456"), "{met}");
        assert_eq!((second.memory_bytes(), second.counted), (2 * MIB, 0), "what is refused is not taken");
        second.grow(5 * MIB, 20 * MIB).expect("seven and three are ten");
        second.shrink();
        assert_eq!((second.memory_bytes(), second.counted), (2 * MIB, 0));
        drop(first);
        second.grow(12 * MIB, 20 * MIB).expect("the first one's came back");
        let met = second.grow(21 * MIB, 20 * MIB).expect_err("its own limit");
        assert!(met.contains("limit memory_bytes = 20971520;"), "{met}");
        drop(second);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
