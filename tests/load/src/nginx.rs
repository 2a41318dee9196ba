//! The baseline: nginx as a plain TLS proxy, tuned as one would for this.

use std::path::Path;

use rabita_tests::{port, process};

use crate::server::Server;

/// Starts nginx before the upstream, with the certificates in `directory`.
pub fn start(directory: &Path, upstream: u16) -> (Server, u16) {
    let (listen, home) = (port::free(), directory.join("nginx"));
    std::fs::create_dir_all(&home).expect("a directory can be made");
    let file = home.join("nginx.conf");
    std::fs::write(&file, configuration(directory, &home, listen, upstream)).expect("a file can be written");
    let program = process::find("nginx", &["/usr/sbin"]);
    let errors = home.join("error.log");
    let arguments = ["-p", text(&home), "-c", text(&file), "-e", text(&errors)];
    let mut server = Server::start(&program, &arguments, home.join("output.log"));
    server.wait_for(port::loopback(listen));
    (server, listen)
}

fn configuration(directory: &Path, home: &Path, listen: u16, upstream: u16) -> String {
    let user = if process::is_root() { "user root;" } else { "" };
    let (directory, home) = (directory.display(), home.display());
    format!(
        "{user}
daemon off;
worker_processes 2;
pid {home}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log {home}/access.log combined;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    upstream registry {{
        server 127.0.0.1:{upstream};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{listen} ssl reuseport;
        ssl_protocols TLSv1.3;
        ssl_certificate {directory}/bus/server.pem;
        ssl_certificate_key {directory}/bus/server.key;
        ssl_client_certificate {directory}/bus/ca.pem;
        ssl_verify_client on;
        location / {{
            proxy_pass http://registry;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    )
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a scratch directory's name is UTF-8")
}
