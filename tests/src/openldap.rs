//! OpenLDAP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bus::Authority;
use crate::port;
use crate::process::{Process, Program, REMEDY, find, run};
use crate::scratch::Scratch;

/// The directory's root, below which tests make their own entries.
pub const SUFFIX: &str = "o=registry";

/// Who may do everything, without limits.
const ADMIN: &str = "cn=admin,o=registry";
const ADMIN_PASSWORD: &str = "the administrator's";

/// The bus's entry: it may read and write, within limits.
pub const BUS: &str = "cn=bus,o=registry";
pub const BUS_PASSWORD: &str = "the password of the bus";

/// The most entries that the directory gives at once to anybody.
pub const SIZE_LIMIT: usize = 500;

/// Classes and attributes of the tests, under the number that IANA keeps for examples.
const SCHEMA: &str = "
attributetype ( 1.3.6.1.4.1.32473.1.1 NAME 'pin' EQUALITY caseExactMatch ORDERING caseExactOrderingMatch
  SUBSTR caseExactSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.2 NAME ( 'family' 'familyName' ) EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.3 NAME 'given' SUP family SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.4 NAME 'born' EQUALITY caseExactMatch ORDERING caseExactOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.5 NAME 'notes' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.6 NAME 'version' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.7 NAME 'serving' EQUALITY booleanMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.8 NAME 'hired' DESC 'The day the oath was taken' EQUALITY generalizedTimeMatch
  ORDERING generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.9 NAME 'grade' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.10 NAME 'badge' EQUALITY caseExactMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.32473.2.1 NAME 'registryPerson' SUP top STRUCTURAL
  MUST ( pin $ family $ given $ born ) MAY ( notes $ version $ photo $ serving ) )
objectclass ( 1.3.6.1.4.1.32473.2.2 NAME 'official' SUP inetOrgPerson STRUCTURAL MAY ( serving $ born $ hired $ grade ) )
objectclass ( 1.3.6.1.4.1.32473.2.3 NAME 'badgeHolder' SUP top AUXILIARY MUST badge )
";

/// An OpenLDAP server with its own data. It listens in clear, where TLS can be started, and under TLS.
#[derive(Debug)]
pub struct Openldap {
    // Dropped in this order: the server writes into the directory.
    process: Process,
    port: u16,
    secured_port: u16,
    scratch: Scratch,
}

impl Openldap {
    /// Starts a server.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new("openldap");
        let (port, secured_port) = (port::free(), port::free());
        let data = scratch.path().join("data");
        std::fs::create_dir_all(&data).expect("a scratch directory can be written");
        let authority = Authority::get();
        let files = [
            ("slapd.conf", configuration(scratch.path())),
            ("registry.schema", SCHEMA.to_owned()),
            ("cosine.schema", cosine()),
            ("ca.pem", authority.certificate.clone()),
            ("server.pem", authority.server.certificate.clone()),
            ("server.key", authority.server.key.clone()),
        ];
        for (name, text) in files {
            std::fs::write(scratch.path().join(name), text).expect("a scratch directory can be written");
        }
        let program = program(scratch.path(), port, secured_port);
        let process = Process::start(program, || is_ready(port));
        let server = Self { process, port, secured_port, scratch };
        server.modify(&format!(
            "dn: {SUFFIX}\nchangetype: add\nobjectClass: organization\no: registry\n\n\
             dn: {BUS}\nchangetype: add\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: bus\n\
             userPassword: {BUS_PASSWORD}\n"
        ));
        server
    }

    /// The server that the tests of this binary share; each makes an entry of its own for what it needs.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Openldap> = LazyLock::new(Openldap::start);
        &SHARED
    }

    /// Where it listens in clear.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        port::loopback(self.port)
    }

    /// Where it listens under TLS.
    #[must_use]
    pub const fn secured_address(&self) -> SocketAddr {
        port::loopback(self.secured_port)
    }

    /// Makes an entry below which a test puts its own.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn branch(&self, name: &str) -> String {
        let dn = format!("ou={name},{SUFFIX}");
        self.modify(&format!("dn: {dn}\nchangetype: add\nobjectClass: organizationalUnit\nou: {name}\n"));
        dn
    }

    /// Makes changes, written in LDIF, as the administrator.
    ///
    /// # Panics
    /// When the server refuses one.
    pub fn modify(&self, ldif: &str) {
        let file = self.scratch.path().join(format!("changes-{}.ldif", crate::port::free()));
        std::fs::write(&file, ldif).expect("a scratch directory can be written");
        self.run("ldapmodify", &["-f", &file.to_string_lossy()]);
        let _stays_until_the_end = std::fs::remove_file(&file);
    }

    /// All entries of a class below a base, as the administrator sees them: the name of each, and its attributes' values.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn entries(&self, base: &str, class: &str) -> Vec<Vec<(String, Vec<u8>)>> {
        let filter = format!("(objectClass={class})");
        let said = self.run("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-b", base, &filter, "*", "+"]);
        let records = said.split("\n\n").filter(|record| !record.trim().is_empty());
        records.map(|record| record.lines().filter_map(line).collect()).collect()
    }

    /// Ends every entry of a class below a base.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn clear(&self, base: &str, class: &str) {
        let names = self.entries(base, class).into_iter().filter_map(|entry| entry.into_iter().next());
        let ldif: String = names.map(|(_, dn)| format!("dn:: {}\nchangetype: delete\n\n", STANDARD.encode(dn))).collect();
        if !ldif.is_empty() {
            self.modify(&ldif);
        }
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again at the same ports, with the data that it had.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.process.start_again(|| is_ready(self.port));
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let url = format!("ldap://{}", self.address());
        let own = ["-x", "-H", &url, "-D", ADMIN, "-w", ADMIN_PASSWORD];
        let all: Vec<&str> = own.into_iter().chain(arguments.iter().copied()).collect();
        run(program, &find(program, &["/usr/bin"]), &all, None, self.scratch.path())
    }
}

/// An attribute and a value in LDIF, whatever they hold.
#[must_use]
pub fn ldif(name: &str, value: &[u8]) -> String {
    format!("{name}:: {}\n", STANDARD.encode(value))
}

fn line(line: &str) -> Option<(String, Vec<u8>)> {
    let (name, value) = line.split_once(':')?;
    let value = match value.strip_prefix(':') {
        Some(encoded) => STANDARD.decode(encoded.trim()).expect("LDIF has Base64 behind two colons"),
        None => value.trim_start_matches(' ').as_bytes().to_vec(),
    };
    Some((name.to_owned(), value))
}

/// The usual schema, in which a photo is a fax: OpenLDAP knows that syntax and takes no value of it.
fn cosine() -> String {
    let path = "/etc/ldap/schema/cosine.schema";
    let schema = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}; {REMEDY}"));
    schema.replace("1.3.6.1.4.1.1466.115.121.1.23", "1.3.6.1.4.1.1466.115.121.1.40")
}

fn configuration(scratch: &Path) -> String {
    let scratch = scratch.display();
    format!(
        "include /etc/ldap/schema/core.schema
include {scratch}/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {scratch}/registry.schema
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit {SIZE_LIMIT}
threads 16
TLSCACertificateFile {scratch}/ca.pem
TLSCertificateFile {scratch}/server.pem
TLSCertificateKeyFile {scratch}/server.key
TLSVerifyClient try
authz-regexp \"cn=portal[^,]*(,.*)?\" {BUS}
database mdb
suffix {SUFFIX}
rootdn {ADMIN}
rootpw \"{ADMIN_PASSWORD}\"
directory {scratch}/data
maxsize 1073741824
# Nothing here outlives the tests, so nothing has to outlive a power cut.
dbnosync
index objectClass,pin,uid,entryCSN eq
limits dn.exact=\"{BUS}\" size={SIZE_LIMIT} size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=\"{BUS}\" write by * read
"
    )
}

fn program(scratch: &Path, port: u16, secured_port: u16) -> Program {
    // A copy: Debian's AppArmor lets the installed one read nothing of the tests.
    let path: PathBuf = scratch.join("slapd");
    std::fs::copy(find("slapd", &["/usr/sbin", "/usr/lib/openldap"]), &path).expect("a scratch directory takes a program");
    let listen = format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{secured_port}");
    let arguments = ["-d", "0", "-f", &scratch.join("slapd.conf").to_string_lossy(), "-h", &listen].map(str::to_owned).into();
    Program {
        name: "OpenLDAP",
        path,
        arguments,
        user: None,
        death_signal: "KILL",
        directory: scratch.to_path_buf(),
        log: scratch.join("server.log"),
    }
}

fn is_ready(port: u16) -> bool {
    let mut command = Command::new(find("ldapwhoami", &["/usr/bin"]));
    command.args(["-x", "-H", &format!("ldap://127.0.0.1:{port}")]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
