package com.example;

public class Hash {}
