//! A schema registry that speaks Confluent's REST API: the three requests that are needed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use ureq::http::{Request, Response, header};
use ureq::{Agent, Body};

use super::{FormatError, RegistryAddress};

/// A registry answers in milliseconds; one that does not answer in this time is out of reach.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of one registry. It asks; remembering the answers is left to whoever asks.
pub(super) struct Registry {
    url: String,
    authorization: Option<String>,
    agent: Agent,
}

/// What the registry says about a schema.
#[derive(Deserialize)]
struct Registered {
    schema: String,
    /// Left out for Avro.
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Identified {
    id: u32,
}

/// What the registry says when it refuses.
#[derive(Deserialize)]
struct Refused {
    message: String,
}

impl Registry {
    pub(super) fn new(address: &RegistryAddress) -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        #[cfg(feature = "kafka-ssl")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder()
                .provider(ureq::tls::TlsProvider::NativeTls)
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        );
        let authorization = address
            .credentials
            .as_ref()
            .map(|(user, password)| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        Self { url: address.url.trim_end_matches('/').to_owned(), authorization, agent: config.build().into() }
    }

    /// The Avro schema with this id, or `None` if the registry has none.
    ///
    /// # Errors
    /// If the registry cannot be asked, or the schema is of another kind.
    pub(super) fn schema(&self, id: u32) -> Result<Option<String>, FormatError> {
        self.get::<Registered>(&format!("/schemas/ids/{id}"))?.map(|found| self.avro(found)).transpose()
    }

    /// The newest Avro schema of a subject, or `None` if there is no such subject.
    ///
    /// # Errors
    /// If the registry cannot be asked, or the schema is of another kind.
    pub(super) fn latest(&self, subject: &str) -> Result<Option<String>, FormatError> {
        let path = format!("/subjects/{}/versions/latest", escaped(subject));
        self.get::<Registered>(&path)?.map(|found| self.avro(found)).transpose()
    }

    /// Registers an Avro schema under a subject and returns its id; one that is there already keeps its id.
    ///
    /// # Errors
    /// If the registry cannot be asked, or refuses the schema as incompatible.
    pub(super) fn register(&self, subject: &str, schema: &str) -> Result<u32, FormatError> {
        let body = json!({ "schema": schema }).to_string();
        let request = self.request("POST", &format!("/subjects/{}/versions", escaped(subject)));
        let request = request.header(header::CONTENT_TYPE, "application/vnd.schemaregistry.v1+json").body(body);
        let answer = request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request));
        let (status, text) = self.read(answer)?;
        if status != 200 {
            return Err(self.refused(status, &text));
        }
        self.parse::<Identified>(&text).map(|identified| identified.id)
    }

    fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<Option<T>, FormatError> {
        let request = self.request("GET", path).body(());
        let answer = request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request));
        let (status, text) = self.read(answer)?;
        match status {
            200 => self.parse(&text).map(Some),
            404 => Ok(None),
            _ => Err(self.refused(status, &text)),
        }
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        match &self.authorization {
            Some(authorization) => request.header(header::AUTHORIZATION, authorization),
            None => request,
        }
    }

    fn read(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<(u16, String), FormatError> {
        let unreachable = |error: ureq::Error| {
            let wrong = matches!(error, ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TlsRequired);
            let advice = if wrong { "check the address" } else { "check that it runs and can be reached from here" };
            self.failed(format!("no answer: {error}; {advice}"), !wrong)
        };
        let mut answer = answer.map_err(unreachable)?;
        let text = answer.body_mut().read_to_string().map_err(unreachable)?;
        Ok((answer.status().as_u16(), text))
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self, text: &str) -> Result<T, FormatError> {
        serde_json::from_str(text).map_err(|error| {
            self.failed(format!("its answer is not that of a schema registry ({error}); check the address"), false)
        })
    }

    fn avro(&self, found: Registered) -> Result<String, FormatError> {
        match found.schema_type.as_deref() {
            None | Some("AVRO") if found.references.is_empty() => Ok(found.schema),
            None | Some("AVRO") => Err(self.failed(
                "the schema refers to other schemas, which is not supported; register it as one".to_owned(),
                false,
            )),
            Some(other) => Err(self.failed(format!("the schema is of type {other}, AVRO is needed"), false)),
        }
    }

    fn refused(&self, status: u16, text: &str) -> FormatError {
        let message = serde_json::from_str(text).map_or_else(|_| "no reason given".to_owned(), |r: Refused| r.message);
        let advice = match status {
            401 | 403 => "; check the credentials",
            409 => "; the topic's readers could not read it, use another topic or relax the subject's compatibility",
            _ => "",
        };
        self.failed(format!("it answers {status}: {message}{advice}"), status >= 500 || status == 429)
    }

    fn failed(&self, problem: String, temporary: bool) -> FormatError {
        FormatError::Registry { url: self.url.clone(), problem, temporary }
    }
}

/// Percent-encoded for a path.
fn escaped(subject: &str) -> String {
    let mut out = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests;
