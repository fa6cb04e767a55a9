//! The widest vector registers that the machine has.

use pulp::Arch;

/// Runs `work` compiled for the widest vector registers of this machine. What `work` calls must be inlined into it.
///
/// The result has the same bits everywhere: lanes are never added across and products never fused with sums unless `work`
/// says so.
pub fn wide<T>(work: impl FnOnce() -> T) -> T {
    Arch::new().dispatch(work)
}
