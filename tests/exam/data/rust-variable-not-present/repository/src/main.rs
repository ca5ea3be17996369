mod config;

fn main() {
    let config = config::load();
    println!("relaying to {}", config.target);
}
