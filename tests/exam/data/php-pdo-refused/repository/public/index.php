<?php

require __DIR__ . '/../src/Database.php';

echo json_encode(Database::connect()->query('select 1')->fetchAll());
