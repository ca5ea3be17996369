<?php

try {
    run();
} catch (Throwable $error) {
    error_log('Something went wrong');
    http_response_code(500);
}
