//! The list of methods: what makes each of them selectable by name.

use std::fmt::Debug;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    AeCmParameters, AutoencoderKMeansParameters, AutoencoderMixtureParameters, BalancedParameters, CmParameters,
    ContractiveFocalParameters, DvaeParameters, EvenParameters, IdecParameters, KDaeParameters, Objective,
    VadeParameters,
};

/// The size of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Width of a row.
    pub features: usize,
    /// Hidden widths of the encoder; a decoder mirrors them.
    pub encoder: Vec<usize>,
    /// Width of the embedding.
    pub embedding: usize,
    /// Number of clusters.
    pub clusters: usize,
}

impl Shape {
    /// Widths of the encoder's layers, input and embedding included.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        [&[self.features], self.encoder.as_slice(), &[self.embedding]].concat()
    }
}

/// Rules that parameters break, collected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// Parameter, value and the range that it is outside of.
    pub ranges: Vec<(&'static str, f64, &'static str)>,
    /// Whether clusters have to be orthonormal and there are more of them than the embedding has dimensions.
    pub crowded: bool,
}

impl Check {
    /// `holds` must be true of the value of `key`; `range` says so in words.
    pub fn within(&mut self, key: &'static str, value: f64, range: &'static str, holds: impl Fn(f64) -> bool) {
        if !(value.is_finite() && holds(value)) {
            self.ranges.push((key, value, range));
        }
    }

    /// Above 0.
    pub fn positive(&mut self, key: &'static str, value: f64) {
        self.within(key, value, "above 0", |v| v > 0.0);
    }

    /// 0 or above.
    pub fn not_negative(&mut self, key: &'static str, value: f64) {
        self.within(key, value, "0 or above", |v| v >= 0.0);
    }

    /// At least 0 and below 1.
    pub fn share(&mut self, key: &'static str, value: f64) {
        self.within(key, value, "at least 0 and below 1", |v| (0.0..1.0).contains(&v));
    }
}

/// `[objective]` of one method.
pub trait Parameters: Serialize + DeserializeOwned + Default + JsonSchema {
    /// What `model.objective` calls the method.
    const NAME: &'static str;
    /// Whether the method learns from pairs that belong together or apart.
    const CONSTRAINED: bool = false;
    /// Collects what is wrong with the values.
    fn check(&self, shape: &Shape, check: &mut Check);
    /// The method for networks of this shape.
    fn build(&self, shape: &Shape) -> Arc<dyn Objective>;
}

/// Does something with the parameters of the method that was named.
pub trait Visitor {
    /// What it makes of them.
    type Output;
    /// `wrap` turns parameters of the type into a [`Method`].
    fn visit<P: Parameters>(self, wrap: fn(P) -> Method) -> Self::Output;
}

macro_rules! methods {
    ($($(#[$documentation:meta])* $name:ident($parameters:ty),)+) => {
        /// Which method is learned, with its own parameters.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Method {
            $($(#[$documentation])* $name($parameters),)+
        }

        impl Method {
            /// What `model.objective` may be.
            pub const NAMES: &'static [&'static str] = &[$(<$parameters as Parameters>::NAME),+];

            /// The methods that learn from pairs that belong together or apart.
            #[must_use]
            pub fn constrained_names() -> Vec<&'static str> {
                let all = [$((<$parameters as Parameters>::NAME, <$parameters as Parameters>::CONSTRAINED)),+];
                all.into_iter().filter(|(_, constrained)| *constrained).map(|(name, _)| name).collect()
            }

            /// The method for networks of `shape`.
            #[must_use]
            pub fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
                match self {
                    $(Self::$name(parameters) => parameters.build(shape),)+
                }
            }

            /// What is wrong with the parameters for networks of `shape`.
            #[must_use]
            pub fn check(&self, shape: &Shape) -> Check {
                let mut check = Check::default();
                match self {
                    $(Self::$name(parameters) => parameters.check(shape, &mut check),)+
                }
                check
            }

            /// What `model.objective` calls it.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => <$parameters as Parameters>::NAME,)+
                }
            }

            /// Whether it learns from pairs that belong together or apart.
            #[must_use]
            pub fn constrained(&self) -> bool {
                match self {
                    $(Self::$name(_) => <$parameters as Parameters>::CONSTRAINED,)+
                }
            }

            /// Shows the method `name` to `visitor`; nothing if there is none.
            pub fn visit<V: Visitor>(name: &str, visitor: V) -> Option<V::Output> {
                match name {
                    $(<$parameters as Parameters>::NAME => Some(visitor.visit(Self::$name as fn($parameters) -> Self)),)+
                    _ => None,
                }
            }
        }
    };
}

methods! {
    /// Our online recipe.
    Even(EvenParameters),
    /// Boubekki et al. 2021.
    AeCm(AeCmParameters),
    /// Duan et al. 2024.
    Balanced(BalancedParameters),
    /// Ma 2022.
    Dvae(DvaeParameters),
    /// Jiang et al. 2017.
    Vade(VadeParameters),
    /// The clustering module of Boubekki et al. 2021 on the inputs.
    Cm(CmParameters),
    /// Our reading of the abstract of Cai et al. 2022.
    ContractiveFocal(ContractiveFocalParameters),
    /// Guo et al. 2017.
    Idec(IdecParameters),
    /// Opochinsky et al. 2020.
    KDae(KDaeParameters),
    /// An autoencoder, then k-means.
    AutoencoderKMeans(AutoencoderKMeansParameters),
    /// An autoencoder, then a mixture.
    AutoencoderMixture(AutoencoderMixtureParameters),
}
