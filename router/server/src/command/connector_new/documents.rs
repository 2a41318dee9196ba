//! Documents from the disk and the network, for surveys.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rabita_sdk::SurveyError;
use rabita_sdk::survey::Documents;
use reqwest::redirect::Policy;

/// The largest document that is read.
const LARGEST: usize = 32 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;

/// Reads files, and http and https addresses.
pub(super) struct Fetched {
    client: reqwest::Client,
}

impl Fetched {
    pub(super) fn new() -> Result<Self, SurveyError> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::limited(REDIRECTS)).build();
        Ok(Self { client: client.map_err(|error| SurveyError::Unreachable(error.to_string()))? })
    }

    async fn over_http(&self, address: &str) -> Result<Vec<u8>, SurveyError> {
        let failed =
            |error: reqwest::Error| SurveyError::Unreachable(format!("the document cannot be had: {}", error.without_url()));
        let mut answer = self.client.get(address).send().await.map_err(failed)?.error_for_status().map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LARGEST {
                return Err(too_large());
            }
        }
        Ok(bytes)
    }
}

#[async_trait]
impl Documents for Fetched {
    async fn get(&self, place: &str) -> Result<Vec<u8>, SurveyError> {
        if is_http(place) {
            return self.over_http(place).await;
        }
        let path = Path::new(place);
        let unreadable = |error: std::io::Error| SurveyError::Unreachable(format!("the file {place} cannot be read: {error}"));
        if tokio::fs::metadata(path).await.map_err(unreadable)?.len() > LARGEST as u64 {
            return Err(too_large());
        }
        tokio::fs::read(path).await.map_err(unreadable)
    }
}

pub(super) fn is_http(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

fn too_large() -> SurveyError {
    SurveyError::Unsuitable(format!("the document has more than {LARGEST} bytes"))
}
