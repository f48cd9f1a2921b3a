/**
 * The options of the mail backend: what they mean, and what they are called in a configuration.
 *
 * @module
 */

/** How the server is recognised, and how we are. */
export interface SmtpTlsOptions {
  /** Certificates (PEM) to trust in the place of the system's: for a server with a certificate of its own making. */
  readonly ca?: string;
  /** The name in the server's certificate, where it is not the host. @default the host, where that is a name */
  readonly servername?: string;
  /** Our certificate (PEM), where the server asks for one. */
  readonly cert?: string;
  /** Its key (PEM). */
  readonly key?: string;
}

/** Options of `SmtpCommunicator`. In a configuration the keys are in snake_case and durations in seconds. */
export interface SmtpOptions {
  /** The mail server: a name or an IP address. @default `"localhost"` */
  readonly host?: string;
  /** Its port. @default `587` */
  readonly port?: number;
  /** Whom to log in as; without it nobody logs in. */
  readonly username?: string;
  /** The password that goes with it. */
  readonly password?: string;
  /** Gives a token for XOAUTH2 in the place of a password, fresh for every connection. */
  readonly accessToken?: () => Promise<string>;
  /** Who writes: one bare address, also the envelope's sender unless `returnPath` is given. */
  readonly fromAddress: string;
  /** The name shown beside it. */
  readonly fromName?: string;
  /** Where bounces go. @default `fromAddress` */
  readonly returnPath?: string;
  /** Where answers go. @default `fromAddress` */
  readonly replyTo?: string;
  /** Who gets messages that name nobody. @default `[]` */
  readonly defaultRecipients?: readonly string[];
  /**
   * Who may be written to at all, whoever asks: addresses, `*@example.com`, `*@*.example.com`. The default recipients
   * always may. @default everybody
   */
  readonly allowRecipients?: readonly string[];
  /** TLS from the first byte. With neither this nor `startTls`, the port decides. */
  readonly useTls?: boolean;
  /** TLS by STARTTLS, required: a server that does not offer it gets nothing. */
  readonly startTls?: boolean;
  /** Clear text, on loopback only: for a mail catcher on the same machine. @default `false` */
  readonly allowInsecure?: boolean;
  /** Trust and identity. */
  readonly tls?: SmtpTlsOptions;
  /** Put before every subject, as it is: `"[prod] "`. */
  readonly subjectPrefix?: string;
  /**
   * For bulk mail: an https URL, a `mailto:` URL, or both; `{delivery_id}` becomes the delivery's id. An https URL must
   * take the POST of one-click unsubscription (RFC 8058).
   */
  readonly listUnsubscribe?: string | readonly string[];
  /** What we call ourselves in EHLO. @default the machine's name, or `[127.0.0.1]` */
  readonly clientName?: string;
  /** How many connections at once. @default `5` */
  readonly maxConnections?: number;
  /** How many mails over one connection before it is replaced. @default `100` */
  readonly maxMessagesPerConnection?: number;
  /**
   * How long an idle connection stays open; 0 closes each after its mail. @default `60_000`, and 0 on Cloudflare
   * Workers, where a connection must not outlive its request
   */
  readonly idleTimeoutMs?: number;
  /** The most that connecting may take: TCP, TLS, greeting and login. @default `60_000` */
  readonly connectTimeoutMs?: number;
  /** The most that the server may take over sender, recipient and DATA. @default `300_000` (RFC 5321 4.5.3.2) */
  readonly commandTimeoutMs?: number;
  /** The most that the mail itself and the answer to it may take. @default `600_000` (RFC 5321 4.5.3.2.6) */
  readonly dataTimeoutMs?: number;
}

/**
 * Every option and its key in a configuration. Keys that end in `_timeout` are in seconds there. `accessToken` is for
 * code alone.
 */
export const SMTP_OPTION_KEYS: Readonly<Record<Exclude<keyof SmtpOptions, "accessToken">, string>> = {
  host: "host",
  port: "port",
  username: "username",
  password: "password",
  fromAddress: "from_address",
  fromName: "from_name",
  returnPath: "return_path",
  replyTo: "reply_to",
  defaultRecipients: "default_recipients",
  allowRecipients: "allow_recipients",
  useTls: "use_tls",
  startTls: "start_tls",
  allowInsecure: "allow_insecure",
  tls: "tls",
  subjectPrefix: "subject_prefix",
  listUnsubscribe: "list_unsubscribe",
  clientName: "client_name",
  maxConnections: "max_connections",
  maxMessagesPerConnection: "max_messages_per_connection",
  idleTimeoutMs: "idle_timeout",
  connectTimeoutMs: "connect_timeout",
  commandTimeoutMs: "command_timeout",
  dataTimeoutMs: "data_timeout",
};

/** The keys of `tls` in a configuration: the same as in code. */
export const SMTP_TLS_KEYS: readonly (keyof SmtpTlsOptions)[] = ["ca", "servername", "cert", "key"];
