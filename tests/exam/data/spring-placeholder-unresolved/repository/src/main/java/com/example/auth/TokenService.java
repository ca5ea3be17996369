package com.example.auth;

public class TokenService {
    private final String secret;

    public TokenService(String secret) {
        this.secret = secret;
    }

    public int length() {
        return secret.length();
    }
}
