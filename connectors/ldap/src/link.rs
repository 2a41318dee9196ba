//! A connection to the directory, and one operation on it after the other.

use std::time::Instant;

use futures_util::FutureExt as _;
use rabita_sdk::Failure;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::failure::{Moment, broken, refused};
use crate::protocol::{Broken, Code, Control, Credentials, Entry, Frames, Message, Op, SearchRequest, encoded};
use crate::settings::{Address, References};

/// Asks for TLS on a connection in clear (RFC 4511, section 4.14).
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

/// The number of what the server says by itself (RFC 4511, section 4.4): the end of the connection.
const UNSOLICITED: i32 = 0;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// How a connection is made.
pub(crate) struct Dial {
    pub(crate) address: Address,
    pub(crate) security: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) bind: Option<(String, Credentials)>,
    pub(crate) bounds: Bounds,
}

/// What a connection takes and gives at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) answer_max: usize,
    pub(crate) request_max: usize,
    pub(crate) references: References,
}

/// A connection. One operation is under way at a time: a call that is dropped drops its connection, which ends what the
/// directory does for it.
pub(crate) struct Link {
    frames: Frames<Box<dyn Stream>>,
    bounds: Bounds,
    last_id: i32,
    /// Whether no operation is under way.
    is_idle: bool,
    /// Whether an answer came since the connection was taken for this call.
    is_proven: bool,
    moment: Moment,
}

/// What ends a search.
pub(crate) struct Found {
    pub(crate) code: Code,
    pub(crate) controls: Vec<Control>,
    /// Whether a part of what was searched is on another server.
    pub(crate) is_part: bool,
}

impl Dial {
    /// Makes a connection, secures it and tells who the bus is.
    pub(crate) async fn link(&self) -> Result<Link, Failure> {
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await;
        let stream = stream.map_err(|error| broken(Broken::Io(error.kind()), Moment::Connecting))?;
        // Without it questions are merely slower.
        let _slower = stream.set_nodelay(true);
        let mut link = match &self.security {
            None => Link::on(Box::new(stream), self.bounds),
            Some(security) if self.address.secured => self.secured(stream, security).await?,
            Some(security) => {
                let stream = start_tls(stream, self.bounds).await?;
                self.secured(stream, security).await?
            }
        };
        if let Some((dn, credentials)) = &self.bind {
            link.bind(dn, credentials).await?;
        }
        link.moment = Moment::Reading;
        Ok(link)
    }

    async fn secured(&self, stream: TcpStream, (connector, name): &(TlsConnector, ServerName<'static>)) -> Result<Link, Failure> {
        let stream = connector.connect(name.clone(), stream).await;
        let stream = stream.map_err(|error| broken(Broken::Io(error.kind()), Moment::Connecting))?;
        Ok(Link::on(Box::new(stream), self.bounds))
    }
}

/// Whatever came in clear beyond the answer may be of another, and is not read under TLS.
async fn start_tls(stream: TcpStream, bounds: Bounds) -> Result<TcpStream, Failure> {
    let fails = |why| broken(why, Moment::Connecting);
    let mut frames = Frames::new(stream, bounds.answer_max);
    let request = Message { id: 1, op: Op::ExtendedRequest(START_TLS.to_owned()), controls: Vec::new() };
    frames.send(&encoded(&request)).await.map_err(fails)?;
    match frames.next().await.map_err(fails)?.0 {
        Message { id: 1, op: Op::ExtendedResponse(Code::SUCCESS), .. } => {}
        Message { op: Op::ExtendedResponse(code), .. } => return Err(refused(code, Moment::Connecting)),
        _ => return Err(fails(Broken::NoMessage("the answer about TLS"))),
    }
    frames.into_stream().ok_or_else(|| fails(Broken::NoMessage("nothing before TLS")))
}

impl Link {
    /// A connection on a stream.
    pub(crate) fn on(stream: Box<dyn Stream>, bounds: Bounds) -> Self {
        let frames = Frames::new(stream, bounds.answer_max);
        Self { frames, bounds, last_id: 1, is_idle: true, is_proven: false, moment: Moment::Connecting }
    }

    /// Whether it can be used for another call.
    pub(crate) const fn is_sound(&self) -> bool {
        self.is_idle
    }

    /// Whether it broke before the directory did anything of the call: another connection may do.
    pub(crate) const fn was_dead(&self) -> bool {
        !self.is_idle && !self.is_proven && matches!(self.moment, Moment::Reading)
    }

    /// Readies a connection that was idle for another call; none where it ended meanwhile.
    pub(crate) fn again(mut self) -> Option<Self> {
        self.is_proven = false;
        self.moment = Moment::Reading;
        // Whatever comes unasked is the end of the connection, or its announcement.
        if self.frames.next().now_or_never().is_some() { None } else { Some(self) }
    }

    async fn bind(&mut self, dn: &str, credentials: &Credentials) -> Result<(), Failure> {
        let op = Op::BindRequest { dn: dn.to_owned(), credentials: credentials.clone() };
        match self.ask(op, Vec::new()).await? {
            Code::SUCCESS => Ok(()),
            code => Err(refused(code, Moment::Connecting)),
        }
    }

    /// Says that nothing more is asked.
    pub(crate) async fn unbind(mut self) {
        // The other side finds out anyway.
        let _ended = self.send(Op::UnbindRequest, Vec::new()).await;
    }

    /// Changes something.
    pub(crate) async fn change(&mut self, op: Op, controls: Vec<Control>) -> Result<Code, Failure> {
        self.ask(op, controls).await
    }

    /// Searches, and hands over each entry with its length in bytes.
    pub(crate) async fn search(
        &mut self,
        request: SearchRequest,
        controls: Vec<Control>,
        mut each: impl FnMut(Entry, usize) -> Result<(), Failure>,
    ) -> Result<Found, Failure> {
        let id = self.send(Op::SearchRequest(request), controls).await?;
        let mut is_part = false;
        loop {
            let (message, length) = self.answer(id).await?;
            match message.op {
                Op::SearchEntry(entry) => each(entry, length)?,
                Op::SearchReference if self.bounds.references == References::Overlook => is_part = true,
                Op::SearchReference => {
                    return Err(Failure::unsupported(
                        "a part of what is searched is on another server, which is not asked; see `references`",
                    ));
                }
                Op::SearchDone(code) => {
                    self.is_idle = true;
                    return Ok(Found { code, controls: message.controls, is_part });
                }
                _ => return Err(broken(Broken::NoMessage("an answer to a search"), self.moment)),
            }
        }
    }

    async fn ask(&mut self, op: Op, controls: Vec<Control>) -> Result<Code, Failure> {
        let id = self.send(op, controls).await?;
        let (message, _) = self.answer(id).await?;
        match message.op {
            Op::BindResponse(code)
            | Op::ModifyResponse(code)
            | Op::AddResponse(code)
            | Op::DeleteResponse(code)
            | Op::ExtendedResponse(code) => {
                self.is_idle = true;
                Ok(code)
            }
            _ => Err(broken(Broken::NoMessage("a result"), self.moment)),
        }
    }

    /// Sends a request, and answers its number.
    async fn send(&mut self, op: Op, controls: Vec<Control>) -> Result<i32, Failure> {
        let is_change = matches!(op, Op::ModifyRequest { .. } | Op::AddRequest(_) | Op::DeleteRequest(_));
        self.last_id = self.last_id.checked_add(1).unwrap_or(2);
        let message = encoded(&Message { id: self.last_id, op, controls });
        if message.len() > self.bounds.request_max {
            return Err(Failure::refused("the request is longer than the directory takes; see `request_max_bytes`"));
        }
        self.is_idle = false;
        if is_change {
            self.moment = Moment::Changing;
        }
        self.frames.send(&message).await.map_err(|why| broken(why, self.moment))?;
        Ok(self.last_id)
    }

    async fn answer(&mut self, id: i32) -> Result<(Message, usize), Failure> {
        let (message, length) = self.frames.next().await.map_err(|why| broken(why, self.moment))?;
        match message.id {
            own if own == id => {
                self.is_proven = true;
                Ok((message, length))
            }
            UNSOLICITED => Err(broken(Broken::Ended, self.moment)),
            _ => Err(broken(Broken::NoMessage("an answer to what was asked"), self.moment)),
        }
    }
}

/// A connection that waits for its next call.
pub(crate) struct Idle {
    pub(crate) link: Link,
    pub(crate) since: Instant,
}
