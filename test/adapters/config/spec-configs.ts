// The configurations of the communications specification, word for word.

/** All of it. */
export const SPEC_CONFIG = `communications:
  enabled: true
  backends:
    my_telegram:
      type: telegram
      api_id: \${TELEGRAM_API_ID}
      api_hash: \${TELEGRAM_API_HASH}
      token: \${TELEGRAM_BOT_TOKEN}
      labels:
        - default
        - alerts
      listen_to_commands: true
      chats:
        default:
          chat_id: "-1001234567890"
          active: true
        alerts:
          chat_id: "-1009876543210"
          topic_id: 42
          command_authorized: true
          active: true

    my_email:
      type: email
      host: smtp.example.com
      port: 587
      username: \${SMTP_USER}
      password: \${SMTP_PASS}
      from_address: noreply@example.com
      start_tls: true
      default_recipients:
        - ops@example.com
      labels:
        - alerts
`;

/** The value of `communications` of its Telegram section. */
export const SPEC_TELEGRAM = `backends:
  my_telegram:
    type: telegram
    api_id: \${TELEGRAM_API_ID}
    api_hash: \${TELEGRAM_API_HASH}
    token: \${TELEGRAM_BOT_TOKEN}
    session_string: ""
    listen_to_commands: false
    labels:
      - default
    chats:
      default:
        chat_id: "-1001234567890"
        active: true
      alerts:
        chat_id: "-1001234567890"
        topic_id: 42
        command_authorized: true
        active: true
`;

/** The value of `communications` of its mail section. */
export const SPEC_EMAIL = `backends:
  my_email:
    type: email
    host: smtp.example.com
    port: 587
    username: \${SMTP_USER}
    password: \${SMTP_PASS}
    from_address: noreply@example.com
    use_tls: true
    start_tls: false
    default_recipients:
      - ops@example.com
    labels:
      - alerts
`;

/** Its backend of a kind of one's own. */
export const SPEC_CUSTOM = `communications:
  enabled: true
  backends:
    my_slack:
      type: slack
      labels:
        - default
      webhook_url: \${SLACK_WEBHOOK_URL}
`;
