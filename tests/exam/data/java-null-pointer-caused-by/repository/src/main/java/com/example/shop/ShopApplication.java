package com.example.shop;

import com.example.shop.orders.OrderController;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

public class ShopApplication {
    private static final Logger log = LoggerFactory.getLogger(ShopApplication.class);

    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        OrderController controller = new OrderController();
        server.createContext("/orders/", exchange -> answer(exchange, controller));
        server.start();
        log.info("Started ShopApplication");
    }

    private static void answer(HttpExchange exchange, OrderController controller) throws java.io.IOException {
        int status = 200;
        byte[] body = "{}".getBytes();
        try {
            String path = exchange.getRequestURI().getPath();
            body = controller.show(path.substring("/orders/".length())).getBytes();
        } catch (RuntimeException error) {
            status = 500;
            log.error("request " + exchange.getRequestURI() + " failed", error);
        }
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
