//! Names nobody else has.

/// `n` random characters from the URL-safe base64 alphabet, of the run's random stream.
pub fn randstring(n: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(n);
    while text.len() < n {
        let mut word = labrt::random_u64();
        // Ten characters of 6 bits a draw.
        for _ in 0..10.min(n - text.len()) {
            text.push(char::from(ALPHABET[(word & 63) as usize]));
            word >>= 6;
        }
    }
    text
}
