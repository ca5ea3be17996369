package com.example.users;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

public class UsersApplication {
    private static final Logger log = LoggerFactory.getLogger(UsersApplication.class);

    public static void main(String[] args) throws Exception {
        try {
            log.info("{} users", new UserRepository().count());
        } catch (Exception error) {
            log.error("Application run failed", error);
            System.exit(1);
        }
    }
}
