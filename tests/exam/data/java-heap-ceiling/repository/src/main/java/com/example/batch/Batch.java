package com.example.batch;

import java.util.ArrayList;
import java.util.List;

public class Batch {
    public static void main(String[] args) {
        System.out.println("reading the archive");
        List<byte[]> pages = new ArrayList<>();
        for (int page = 0; page < 400; page++) {
            pages.add(new byte[1_000_000]);
        }
        System.out.println("read " + pages.size() + " pages");
    }
}
