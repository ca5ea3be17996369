pub fn drain() -> usize {
    3
}
