//! The support code itself: servers start, answer, can be killed and come back.

mod queue;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rabita_tests::{Mariadb, Nginx, NodeServer, Postgres};

#[test]
fn postgres_comes_back_with_its_data_after_a_kill() {
    let server = Postgres::start();
    server.run("CREATE TABLE t (x text)");
    server.run("INSERT INTO t VALUES ('Şəhla')");
    server.kill();
    assert!(TcpStream::connect(server.address()).is_err());
    server.start_again();
    assert_eq!(server.run("SELECT x FROM t").trim(), "Şəhla");
}

#[test]
fn mariadb_comes_back_with_its_data_after_a_kill() {
    let server = Mariadb::start();
    server.run("CREATE DATABASE d; CREATE TABLE d.t (x TEXT); INSERT INTO d.t VALUES ('Şəhla')");
    server.kill();
    assert!(TcpStream::connect(server.address()).is_err());
    server.start_again();
    assert_eq!(server.run("SELECT x FROM d.t").trim(), "Şəhla");
}

#[test]
fn a_node_server_comes_back_at_its_port_after_a_kill() {
    let server = NodeServer::start("rest", &[]);
    assert!(get(server.address(), "/health").contains(r#"{"status":"up"}"#));
    server.kill();
    assert!(TcpStream::connect(server.address()).is_err());
    server.start_again();
    assert!(get(server.address(), "/health").contains(r#"{"status":"up"}"#));
}

#[test]
fn nginx_answers_what_it_is_configured_to() {
    let server = Nginx::start("", "location /x { return 200 'here'; }", |_| {});
    assert!(get(server.address(), "/x").ends_with("here"));
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("a connection");
    write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    answer
}
