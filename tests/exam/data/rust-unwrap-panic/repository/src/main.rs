use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

mod pricing;

fn main() {
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    println!("listening on 8080");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        thread::Builder::new()
            .name("worker".into())
            .spawn(move || {
                let mut buffer = [0; 1024];
                let size = stream.read(&mut buffer).unwrap_or(0);
                let text = String::from_utf8_lossy(&buffer[..size]).to_string();
                let path = text.split_whitespace().nth(1).unwrap_or("/").to_string();
                if path == "/" {
                    return;
                }
                let body = pricing::total(path.trim_start_matches("/orders/"));
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.len(), body);
            })
            .unwrap();
    }
}
