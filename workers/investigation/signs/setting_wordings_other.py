"""Sentences of Ruby, PHP, Elixir, Go, Java, .NET and Rust about missing or malformed settings. Pure."""

from __future__ import annotations

from workers.investigation.signs.setting_wordings import ANY, INVALID, MISSING, UPPER, Q
from workers.investigation.signs.wordings import Wording

RUBY_PHP_ELIXIR: tuple[Wording, ...] = (
    # Rails: ActiveSupport::EncryptedConfiguration, Rails::Application#secrets; Figaro; dotenv `require_keys`.
    Wording(MISSING, r"Missing [`']?(?P<subject>secret_key_base)[`']? for"),
    Wording(MISSING, r"Missing encryption key to decrypt file with", "RAILS_MASTER_KEY"),
    Wording(INVALID, r"ActiveSupport::MessageEncryptor::InvalidMessage", "RAILS_MASTER_KEY"),
    Wording(MISSING, r"Missing required configuration keys?: \[?(?P<names>[\"\w, ]{2,400})"),
    Wording(
        MISSING,
        rf"Missing required configuration[^\n]{{0,40}}: \[?(?P<names>\"?{UPPER}[\"\w, ]{{0,400}})",
        exact_case=True,
    ),
    Wording(MISSING, rf"Missing environment variable:? {Q}(?P<subject>{ANY})"),
    # Laravel: Illuminate\Encryption\MissingAppKeyException; `Unsupported cipher or incorrect key length`.
    Wording(MISSING, r"No application encryption key has been specified", "APP_KEY"),
    Wording(MISSING, r"The only supported ciphers are AES-128-CBC", "APP_KEY"),
    Wording(INVALID, r"Unsupported cipher or incorrect key length", "APP_KEY"),
    Wording(INVALID, r"Database connection \[\w{0,40}\] not configured", "DB_CONNECTION"),
    Wording(MISSING, r"Database hosts array is empty", "DB_HOST"),
    Wording(MISSING, r"bad URI ?\(is not URI\?\): (?:nil|\"\")"),
    # Active Record without an address.
    Wording(MISSING, r"ActiveRecord::AdapterNotSpecified", "DATABASE_URL"),
    # Symfony: EnvNotFoundException; vlucas/phpdotenv: `One or more environment variables failed assertions`.
    Wording(MISSING, rf"Environment variable not found: \"(?P<subject>{ANY})\""),
    Wording(
        MISSING,
        rf"One or more environment variables failed assertions: (?P<subject>{ANY}) (?:is missing|is empty)",
    ),
    # Elixir: System.fetch_env!/1; Phoenix's config/runtime.exs.
    Wording(MISSING, rf"could not fetch environment variable \"(?P<subject>{ANY})\" because it is not set"),
    Wording(MISSING, rf"environment variable (?P<subject>{ANY}) is missing\b"),
    Wording(MISSING, r"missing the :(?:url|database) key in options", "DATABASE_URL"),
    Wording(MISSING, r"cookie store expects conn\.secret_key_base", "SECRET_KEY_BASE"),
)

COMPILED: tuple[Wording, ...] = (
    # Go: kelseyhightower/envconfig, caarlos0/env, sethvargo/go-envconfig, cleanenv, viper checks.
    Wording(MISSING, rf"required key (?P<subject>{ANY}) missing value"),
    Wording(MISSING, rf"required environment variable \"(?P<subject>{ANY})\" is not set"),
    Wording(MISSING, rf"environment variable \"(?P<subject>{ANY})\" should not be empty"),
    Wording(MISSING, rf"missing required value: (?P<subject>{ANY})"),
    Wording(INVALID, rf"envconfig\.Process: assigning (?P<subject>{ANY}) to "),
    # go-playground/validator on the struct of the settings.
    Wording(
        MISSING,
        r"Key: '\w{0,30}(?:Config|Settings|Env)\w{0,30}\.[\w.]{0,80}' Error:Field validation for '(?P<subject>\w{1,60})' failed on the 'required'",
    ),
    Wording(
        INVALID,
        r"Key: '\w{0,30}(?:Config|Settings|Env)\w{0,30}\.[\w.]{0,80}' Error:Field validation for '(?P<subject>\w{1,60})' failed on the '(?!required)",
    ),
    Wording(
        INVALID,
        r"listen tcp \S{0,60}: (?:lookup tcp/|unknown port|invalid port|address \S{1,40}: (?:invalid|missing) port)",
        "PORT",
    ),
    # clap: the value of an option, whose name is the variable's by default.
    Wording(
        MISSING,
        rf"required arguments were not provided:(?:\n[^\n]{{0,80}}){{0,4}}?\n\s{{0,8}}--[\w-]{{1,60}} <(?P<subject>{UPPER})>",
        exact_case=True,
    ),
    Wording(MISSING, r"open \S{0,80}\.env\b\S{0,20}: no such file|[Ee]rror loading \.env file"),
    # Typesafe Config (Play, Akka, Ktor).
    Wording(
        MISSING,
        rf"[Cc]ould not resolve substitution to a value: \$\{{(?P<subject>{UPPER})\}}",
        exact_case=True,
    ),
    Wording(INVALID, rf"env: parse error on field \"(?P<subject>{ANY})\""),
    # Spring: PropertyPlaceholderHelper, DataSourceProperties; Micronaut; Quarkus (SmallRye Config).
    Wording(MISSING, rf"Could not resolve placeholder '(?P<subject>{ANY})'"),
    Wording(
        MISSING,
        r"Failed to configure a DataSource|Failed to determine a suitable driver class",
        "SPRING_DATASOURCE_URL",
    ),
    Wording(INVALID, r"URL must start with 'jdbc'|claims to not accept jdbcUrl", "SPRING_DATASOURCE_URL"),
    Wording(MISSING, rf"Could not resolve placeholder \$\{{(?P<subject>{ANY})\}}"),
    Wording(
        MISSING, rf"Error resolving property value \[\$\{{(?P<subject>{ANY})\}}\]\. Property doesn't exist"
    ),
    Wording(MISSING, rf"SRCFG00011: Could not expand value (?P<subject>{ANY}) in property"),
    # .NET: options validation, connection strings, Azure and IdentityModel.
    Wording(
        MISSING,
        r"(?:Value cannot be null|Parameter)[^\n]{0,40}connectionString",
        "ConnectionStrings__DefaultConnection",
    ),
    Wording(
        MISSING,
        r"The ConnectionString property has not been initialized",
        "ConnectionStrings__DefaultConnection",
    ),
    Wording(MISSING, rf"Connection string '(?P<subject>{ANY})' (?:not found|is not|was not|could not)"),
    Wording(
        INVALID,
        r"Format of the initialization string does not conform to specification",
        "ConnectionStrings__DefaultConnection",
    ),
    Wording(
        MISSING,
        rf"[Cc]onfiguration (?:value|key|setting) (?:for )?{Q}(?P<subject>[\w:.]{{2,80}}){Q} (?:is missing|not found|is required|was not found)",
    ),
    # A service's own check of a key of .NET's configuration, which sections part with colons: `Mail:ApiKey is not set`.
    Wording(
        MISSING,
        r"(?<![\w.:])(?P<subject>[A-Z]\w{1,40}(?::\w{2,40}){1,4}) (?:is|was) (?:not configured|missing|not set|empty|required)",
        exact_case=True,
    ),
    Wording(MISSING, r"Section '(?P<subject>[\w:.]{2,80})' not found in configuration"),
    Wording(
        MISSING,
        r"OptionsValidationException: [^\n]{0,120}?\b(?:The )?(?P<subject>\w{2,60}) field is required",
    ),
    Wording(MISSING, r"OptionsValidationException: [^\n]{0,120}?members: '(?P<subject>\w{2,60})'"),
    Wording(
        MISSING,
        rf"Missing config(?:uration)?(?: (?:key|value|setting))?:? {Q}(?P<subject>\w{{1,60}}:[\w:]{{1,60}})",
    ),
    # An own check of a key such as `Mail:ApiKey`, which is the variable `Mail__ApiKey`.
    Wording(MISSING, rf"\(environment variable {Q}(?P<subject>{ANY}){Q}\)"),
    Wording(
        MISSING,
        r"\b(?P<subject>[A-Z]\w{1,40}(?::[A-Z]\w{0,40}){1,3}) (?:is|was|must be) (?:not configured|not set|missing|set|configured|required)\b",
        exact_case=True,
    ),
    Wording(MISSING, r"IDX10000: The parameter 'key' cannot be", "JWT_SECRET"),
    # Rust: std::env::VarError, envy, config-rs, dotenvy's `expect` messages.
    Wording(
        MISSING,
        rf"(?P<subject>{UPPER})\b[^\n]{{0,40}}: (?:NotPresent|environment variable not found)",
        exact_case=True,
    ),
    Wording(
        MISSING, r"`Err` value: NotPresent|^Error: environment variable not found$|: EnvVar\(NotPresent\)"
    ),
    Wording(MISSING, rf"missing value for field (?P<subject>{ANY})"),
    Wording(MISSING, rf"missing (?:configuration )?field [`\"](?P<subject>{ANY})[`\"](?! for key)"),
    Wording(INVALID, r"RelativeUrlWithoutBase|EmptyHost", "DATABASE_URL"),
)
