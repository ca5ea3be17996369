package com.example;

public class Api {}
