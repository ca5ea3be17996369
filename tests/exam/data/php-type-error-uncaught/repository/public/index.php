<?php

declare(strict_types=1);

require __DIR__ . '/../src/Pricing.php';

use App\Pricing;

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/health') {
    echo 'ok';
    return;
}
echo json_encode(['total' => (new Pricing())->total(basename($path))]);
