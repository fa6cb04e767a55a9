//! What can go wrong with a backend.

/// A network fault.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The backend is not part of this build.
    #[error("backend `{backend}` is not part of this build: rebuild with --features {feature}")]
    NotBuilt {
        /// As named in the pipeline.
        backend: &'static str,
        /// Cargo feature.
        feature: &'static str,
    },
}
