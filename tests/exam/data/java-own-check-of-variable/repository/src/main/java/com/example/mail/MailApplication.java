package com.example.mail;

public class MailApplication {
    public static void main(String[] args) {
        System.out.println("sending as " + Settings.require("MAIL_SENDER"));
        System.out.println("key of " + Settings.require("MAIL_API_KEY").length() + " characters");
    }
}
