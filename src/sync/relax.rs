//! How to wait for somebody who is done in a moment.

/// Waits longer each time: first for a few cycles, then lets others run, then sleeps, so that whoever is waited for gets a processor
/// whatever its priority.
#[derive(Debug, Default)]
pub(crate) struct Relax(u32);

impl Relax {
    #[cfg(not(keep_loom))]
    pub(crate) fn relax(&mut self) {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            0..=6 => (0..1u32 << self.0).for_each(|_| std::hint::spin_loop()),
            7..=40 => std::thread::yield_now(),
            _ => std::thread::sleep(std::time::Duration::from_micros(50)),
        }
    }

    #[cfg(keep_loom)]
    pub(crate) fn relax(&mut self) {
        loom::thread::yield_now();
    }
}
