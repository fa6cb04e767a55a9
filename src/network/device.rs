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
    /// LibTorch through burn-tch.
    Libtorch,
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
        Backend::Libtorch => Err(NetworkError::NotBuilt { backend: "libtorch", feature: "libtorch" }),
    }
}
