//! Files at addresses below one, each looked at by what `HEAD` tells of it and fetched whole.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use http::header::{CONTENT_LENGTH, ETAG, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use rabita_http::{Client, Outgoing};
use rabita_model::ExchangeId;
use rabita_sdk::{Call, Failure};
use tokio::io::AsyncWriteExt as _;

use super::{Away, Candidate, Origin, Wants};

/// Files of these names below an address.
pub struct Http {
    pub client: Client,
    pub files: Vec<String>,
}

/// The longest that a server may take to say what it has.
const HEAD_MAX: Duration = Duration::from_secs(20);
/// The longest that a file may take to come.
const FILE_MAX: Duration = Duration::from_secs(3600);

#[async_trait]
impl Origin for Http {
    async fn list(&self, wants: &Wants<'_>) -> Result<Vec<Candidate>, Away> {
        let mut found = Vec::new();
        let mut is_asked = false;
        for name in self.files.iter().filter(|name| wants(name)) {
            is_asked = true;
            found.extend(self.head(name).await?);
        }
        if !is_asked && let Some(name) = self.files.first() {
            // Whether the server answers at all.
            self.head(name).await?;
        }
        Ok(found)
    }

    async fn fetch(&self, file: &Candidate, staging: &Path) -> Result<PathBuf, Away> {
        let target = staging.join(&file.name);
        let told = |error: std::io::Error| format!("the file can't be stored: {}", error.kind());
        let mut headers = HeaderMap::new();
        // The server itself sees to it that it is still the file that was listed.
        if let Some(value) = file.stamp.strip_prefix("etag:").filter(|tag| !tag.starts_with("W/")) {
            headers.extend(value.parse().ok().map(|value| (IF_MATCH, value)));
        } else if let Some((_, time)) = file.stamp.split_once("time:") {
            headers.extend(time.parse().ok().map(|value| (IF_UNMODIFIED_SINCE, value)));
        }
        let call = call(FILE_MAX);
        let outgoing = Outgoing { method: Method::GET, path: format!("/{}", file.name), headers, ..Outgoing::default() };
        let mut answer = self.client.send_streaming(outgoing, &call).await.map_err(away)?;
        if answer.status == StatusCode::PRECONDITION_FAILED {
            return Err("the file was changed while it was fetched".to_owned());
        }
        if answer.status != StatusCode::OK {
            return Err(format!("the server answered {} to the fetching of the file", answer.status.as_u16()));
        }
        tokio::fs::create_dir_all(staging).await.map_err(told)?;
        let mut local = tokio::fs::File::create(&target).await.map_err(told)?;
        while let Some(chunk) = answer.chunks.try_next().await.map_err(away)? {
            local.write_all(&chunk).await.map_err(told)?;
        }
        local.flush().await.map_err(told)?;
        Ok(target)
    }
}

impl Http {
    async fn head(&self, name: &str) -> Result<Option<Candidate>, Away> {
        let outgoing = Outgoing { method: Method::HEAD, path: format!("/{name}"), ..Outgoing::default() };
        let answer = self.client.send_streaming(outgoing, &call(HEAD_MAX)).await.map_err(away)?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if answer.status != StatusCode::OK {
            return Err(format!("the server answered {} to the question for the file", answer.status.as_u16()));
        }
        let header = |name: HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let stamp = match (header(ETAG), header(LAST_MODIFIED)) {
            (Some(tag), _) => format!("etag:{tag}"),
            (None, Some(time)) => format!("{}:time:{time}", header(CONTENT_LENGTH).unwrap_or_default()),
            (None, None) => {
                return Err(
                    "the server tells neither `ETag` nor `Last-Modified`, so a new file can't be told from the old".to_owned()
                );
            }
        };
        // The order is that of the names in the manifest; a server's time is no better.
        let age = self.files.iter().position(|own| own == name).unwrap_or_default() as u128;
        Ok(Some(Candidate { name: name.to_owned(), stamp, age }))
    }
}

fn call(time: Duration) -> Call {
    Call { exchange: ExchangeId::new(uuid::Uuid::now_v7()), deadline: Instant::now() + time, traceparent: None }
}

fn away(failure: Failure) -> Away {
    failure.to_string()
}
