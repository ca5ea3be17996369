use std::collections::HashMap;

fn prices() -> HashMap<&'static str, u32> {
    HashMap::from([("mug", 900), ("cap", 1500)])
}

pub fn total(item: &str) -> String {
    let prices = prices();
    let cents = prices.get(item).unwrap();
    format!("{{\"cents\": {cents}}}")
}
