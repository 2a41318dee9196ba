//! Where hosts come in: the listener, and one connection from its beginning to its end.

use std::sync::Arc;
use std::time::Duration;

use rabita_config::hosts::AdmittedHost;
use rabita_wire::{Link, LinkOptions, SPOKEN, Welcome};
use rustls::HandshakeKind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;

use super::Hosts;
use crate::node::listener::connection::shake_hands;
use crate::node::listener::connection::trust::Trust;
use crate::node::tls::{Loaded, Transport};
use crate::node::{evidence, stopped};

/// The listener for hosts.
pub(in crate::node) struct Doors {
    pub socket: TcpListener,
    pub transport: Arc<Transport>,
    pub connections: Arc<Semaphore>,
    pub head_timeout: Duration,
}

impl Hosts {
    /// Takes hosts in until told to stop.
    pub async fn run(self: Arc<Self>, doors: Doors, mut stops: watch::Receiver<bool>) {
        let open = TaskTracker::new();
        loop {
            let stream = tokio::select! {
                accepted = doors.socket.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, most likely: accepting at once again would spin.
                        tracing::warn!(%error, "a connection of a host could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = stopped(&mut stops) => break,
            };
            let Ok(place) = Arc::clone(&doors.connections).try_acquire_owned() else { continue };
            let (hosts, transport) = (Arc::clone(&self), doors.transport.watch());
            let (patience, stops) = (doors.head_timeout, stops.clone());
            open.spawn(async move {
                hosts.serve(stream, transport, patience, stops).await;
                drop(place);
            });
        }
        drop(doors.socket);
        open.close();
        open.wait().await;
    }

    async fn serve(
        &self,
        stream: TcpStream,
        mut transport: watch::Receiver<Arc<Loaded>>,
        patience: Duration,
        mut stops: watch::Receiver<bool>,
    ) {
        // Without this a small question waits for the host's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let Some(stream) = shake_hands(stream, &mut transport, patience, &mut stops).await else { return };
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let Some(certificate) = chain.first() else { return };
        let admitted = self.admitted(&evidence::of(certificate));
        let is_resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        let trust = Trust::new(chain, transport);
        // A session that is taken up again brings the certificate of its first handshake, which nobody verified since.
        if is_resumed && !trust.holds() {
            return;
        }
        self.link(stream, admitted, trust, patience, stops).await;
    }

    /// Makes a link of a connection, asks the host over it, and ends it when it must end.
    async fn link(
        &self,
        stream: TlsStream<TcpStream>,
        admitted: Option<AdmittedHost>,
        trust: Trust,
        patience: Duration,
        mut stops: watch::Receiver<bool>,
    ) {
        let mut changes = self.changes.subscribe();
        let host = admitted.as_ref().map(|admitted| admitted.host.clone());
        let name = host.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let options = LinkOptions { host: name, versions: SPOKEN, answer_max: self.answer_max, patience };
        let (link, mut driver) = match Link::open(stream, options).await {
            Ok(opened) => opened,
            Err(error) => return self.refuse(host.as_ref(), &error.to_string()),
        };
        let judged = match &admitted {
            None => Err("no host that this bus admits has this certificate".to_owned()),
            Some(admitted) => self.judge(admitted, &link),
        };
        let (welcome, judged) = match judged {
            Ok(mut judged) => (self.attach(&mut judged, &link), Some(judged)),
            Err(why) => {
                self.refuse(host.as_ref(), &why);
                (Welcome { accepted: false, remarks: vec![why] }, None)
            }
        };
        let told = async {
            link.welcome(&welcome, patience).await;
            if judged.is_some() {
                std::future::pending::<()>().await;
            }
        };
        let why = tokio::select! {
            () = told => "it is refused",
            () = &mut driver => "the connection ended",
            () = trust.ends() => "its certificate no longer holds",
            () = self.is_admitted_otherwise(&mut changes, admitted.as_ref()) => "the configuration admits it otherwise",
            () = stopped(&mut stops) => "this node stops",
        };
        if let Some(judged) = judged {
            self.detach(&judged.host, &link, why);
        }
        if why != "the connection ended" {
            link.cut();
        }
    }

    /// Waits until the configuration no longer admits a host, or admits it for something else.
    async fn is_admitted_otherwise(&self, changes: &mut watch::Receiver<u64>, as_it_was: Option<&AdmittedHost>) {
        loop {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
            let admitted = self.admitted.load();
            if as_it_was.is_some_and(|as_it_was| !admitted.contains(as_it_was)) {
                return;
            }
        }
    }
}
