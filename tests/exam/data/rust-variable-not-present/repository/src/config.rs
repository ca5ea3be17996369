use std::env;

pub struct Config {
    pub target: String,
}

pub fn load() -> Config {
    Config {
        target: env::var("RELAY_TARGET").expect("RELAY_TARGET must be set"),
    }
}
