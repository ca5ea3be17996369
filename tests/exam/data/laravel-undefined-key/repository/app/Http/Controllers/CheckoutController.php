<?php

namespace App\Http\Controllers;

use App\Services\Shipping;

class CheckoutController extends Controller
{
    public function show(string $country, Shipping $shipping)
    {
        return ['cost' => $shipping->cost($country)];
    }
}
