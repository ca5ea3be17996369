<?php

declare(strict_types=1);

namespace App;

final class Pricing
{
    private const ITEMS = ['1' => [900, 1500], '2' => [900, null]];

    public function total(string $id): int
    {
        return array_sum(array_map(fn ($cents) => $this->withTax($cents), self::ITEMS[$id]));
    }

    private function withTax(int $cents): int
    {
        return (int) round($cents * 1.19);
    }
}
