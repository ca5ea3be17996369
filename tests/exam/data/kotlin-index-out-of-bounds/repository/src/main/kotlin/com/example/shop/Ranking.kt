package com.example.shop

class Ranking(private val names: List<String>) {
    fun winner(): String = names[0]
}
