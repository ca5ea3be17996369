package com.example.users;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;

public class UserRepository {
    public int count() throws SQLException {
        try (Connection connection = DriverManager.getConnection(System.getenv("JDBC_URL"), "postgres", "x");
                ResultSet result = connection.createStatement().executeQuery("select count(*) from users")) {
            result.next();
            return result.getInt(1);
        }
    }
}
