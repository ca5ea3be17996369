<?php

require __DIR__ . '/../src/Export.php';

echo strlen(Export::rows(900000));
