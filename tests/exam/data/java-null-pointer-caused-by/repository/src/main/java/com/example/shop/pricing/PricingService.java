package com.example.shop.pricing;

import java.util.Map;

public class PricingService {
    private final Map<String, Price> prices = Map.of("1", new Price(900));

    public int total(String id) {
        return cents(prices.get(id));
    }

    private int cents(Price price) {
        return price.amount() * 100;
    }

    private record Price(int amount) {}
}
