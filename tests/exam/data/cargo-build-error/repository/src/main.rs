mod queue;

fn main() {
    let sent: u32 = queue::drain();
    println!("{sent}");
}
