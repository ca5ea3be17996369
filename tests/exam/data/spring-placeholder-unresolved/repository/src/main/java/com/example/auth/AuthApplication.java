package com.example.auth;

import org.springframework.context.annotation.AnnotationConfigApplicationContext;

public class AuthApplication {
    public static void main(String[] args) {
        new AnnotationConfigApplicationContext(AuthConfiguration.class);
    }
}
