//! The one place where a backend is chosen.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::NetworkError;

/// Where tensors live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Pure Rust, CPU.
    Flex,
    /// LibTorch through burn-tch, which burn has deprecated since 0.22 and will remove: an option, not a base.
    Libtorch,
}

impl Backend {
    /// The backends that are part of this build.
    pub const BUILT: &'static [Self] = &[
        #[cfg(feature = "flex")]
        Self::Flex,
        #[cfg(feature = "libtorch")]
        Self::Libtorch,
    ];
}

/// Opens a backend.
///
/// # Errors
/// If the backend is not part of this build.
pub fn open(backend: Backend) -> Result<Device, NetworkError> {
    match backend {
        #[cfg(feature = "flex")]
        Backend::Flex => Ok(Device::flex()),
        #[cfg(not(feature = "flex"))]
        Backend::Flex => Err(NetworkError::NotBuilt { backend: "flex", feature: "flex" }),
        #[cfg(feature = "libtorch")]
        Backend::Libtorch => Ok(Device::libtorch()),
        #[cfg(not(feature = "libtorch"))]
        Backend::Libtorch => Err(NetworkError::NotBuilt { backend: "libtorch", feature: "libtorch" }),
    }
}
