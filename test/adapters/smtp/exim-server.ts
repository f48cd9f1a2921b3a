/**
 * A real mail server: Exim, started on a free port of loopback with a folder and a configuration of its own. It needs no
 * privileges and delivers into mailboxes below the folder.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

/** A running Exim. */
export interface EximServer {
  /** STARTTLS and login. */
  readonly port: number;
  /** TLS from the first byte. */
  readonly tlsPort: number;
  /** The mails delivered to a user so far, as they lie in the mailbox. */
  mailsOf(user: string): readonly string[];
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (typeof address !== "object" || address === null) throw new Error("Cannot find a free port");
  return address.port;
}

/** As root, Exim wants to be somebody else; as somebody else it cannot become anybody. */
function owner(): { readonly user: string; readonly group: string } {
  const { uid, username } = userInfo();
  if (uid === 0) return { user: "Debian-exim", group: "Debian-exim" };
  return { user: username, group: execFileSync("id", ["-gn"], { encoding: "utf8" }).trim() };
}

function configurationOf(place: string, program: string, port: number, tlsPort: number): string {
  const { user, group } = owner();
  return `
exim_path = ${program}
exim_user = ${user}
exim_group = ${group}
deliver_drop_privilege = true
spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
pid_file_path = ${place}/exim.pid
primary_hostname = mail.example.test
domainlist local_domains = example.test
daemon_smtp_ports = ${port} : ${tlsPort}
local_interfaces = 127.0.0.1
tls_on_connect_ports = ${tlsPort}
tls_advertise_hosts = *
tls_certificate = ${place}/cert.pem
tls_privatekey = ${place}/key.pem
auth_advertise_hosts = \${if eq{$tls_in_cipher}{}{}{*}}
smtp_accept_max = 50
message_size_limit = 1M
recipients_max = 100
host_lookup =
rfc1413_hosts =
smtputf8_advertise_hosts = *
pipelining_advertise_hosts = *
queue_only = false
never_users =
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = data

begin acl
mail:
  deny condition = \${if eq{$sender_address}{banned@example.com}}
       message = 5.7.1 Not from you
  accept
rcpt:
  deny message = 5.7.1 Log in first
       !authenticated = *
  defer local_parts = grey
       message = 4.7.1 Greylisted
  defer local_parts = full
       message = 4.2.2 Mailbox full
  deny local_parts = gone
       message = 5.1.1 No such user
  deny !domains = +local_domains
       message = 5.7.1 We do not relay
  accept
data:
  deny condition = \${if match{$h_subject:}{VIRUS}}
       message = 5.7.1 Content refused
  defer condition = \${if match{$h_subject:}{LATER}}
       message = 4.7.1 Content deferred
  accept

begin routers
local:
  driver = accept
  domains = +local_domains
  local_parts = lsearch;${place}/users
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  maildir_format
  directory = ${place}/mail/$local_part_data
  user = ${user}
  group = ${group}
  create_directory
  mode = 0600

begin retry
* * F,1h,1m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{ann}}{eq{$auth3}{correct horse}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{$auth1}{ann}}{eq{$auth2}{correct horse}}}}
  server_set_id = $auth1
`;
}

/** Starts one that takes mail for bob@example.test from ann, who has to log in. */
export async function startExim(
  program: string,
  identity: { readonly key: string; readonly cert: string },
): Promise<EximServer> {
  const place = realpathSync(mkdtempSync(join(tmpdir(), "posthorn-exim-")));
  const [port, tlsPort] = [await freePort(), await freePort()];
  for (const folder of ["spool", "log", "mail"]) mkdirSync(join(place, folder));
  writeFileSync(join(place, "cert.pem"), identity.cert);
  writeFileSync(join(place, "key.pem"), identity.key, { mode: 0o600 });
  writeFileSync(join(place, "users"), "bob: bob\n");
  const configuration = join(place, "exim.conf");
  writeFileSync(configuration, configurationOf(place, program, port, tlsPort), { mode: 0o644 });
  const { user, group } = owner();
  if (userInfo().uid === 0) {
    execFileSync("chown", ["-R", `${user}:${group}`, place]);
    execFileSync("chown", ["root", configuration]);
    // The folder of temporary files may be one that only its owner can enter.
    for (let folder = place; folder !== "/" && folder !== realpathSync("/tmp"); folder = join(folder, "..")) {
      execFileSync("chmod", ["a+x", folder]);
    }
  }
  const child = spawn(program, ["-C", configuration, "-bdf", "-q1m"], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => said += String(chunk));
  const stop = () => stopExim(child, place);
  try {
    await untilListening(child, port);
  } catch (error) {
    const log = readdirSync(join(place, "log")).map((file) => readFileSync(join(place, "log", file), "utf8")).join("");
    await stop();
    throw new Error(`Cannot start Exim: ${said}${log}`, { cause: error });
  }
  return {
    port,
    tlsPort,
    mailsOf(name) {
      const folder = join(place, "mail", name, "new");
      try {
        return readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
      } catch {
        return [];
      }
    },
    stop,
  };
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`It ended with code ${child.exitCode}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect({ host: "127.0.0.1", port });
      socket.on("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function stopExim(child: ChildProcess, place: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    await ended;
  }
  rmSync(place, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
