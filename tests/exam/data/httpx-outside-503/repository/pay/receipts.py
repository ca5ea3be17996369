FONTS = "https://fonts.paper-example.com/css2"
