package com.example.shop.orders;

import com.example.shop.pricing.PricingService;

public class OrderController {
    private final PricingService pricing = new PricingService();

    public String show(String id) {
        try {
            return "{\"total\": " + pricing.total(id) + "}";
        } catch (NullPointerException error) {
            throw new IllegalStateException("order " + id + " cannot be shown", error);
        }
    }
}
