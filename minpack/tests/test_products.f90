! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Triangles of lanes from inner products of columns: against those by reflections, and where they are left to these.
program test_products
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan
    use kinds, only: wp, eps
    use lane_kinds, only: lane_rows
    use lane_widths_baseline, only: width
    use lane_fold_baseline, only: fold_rows
    use lane_products_baseline, only: add_products
    use lane_cholesky_baseline, only: factor_products, take_others
    use testing, only: check, check_at_most, finish, digits_of
    implicit none (type, external)

    integer :: columns

    call random_init(repeatable=.true., image_distinct=.false.)
    do columns = 1, 13
        call check_products(columns)
    end do
    call finish()

contains

    !> Lanes with a column of zeros, of NaN, too large or too small to be squared, and nearly dependent on another one.
    subroutine check_products(n)
        integer, intent(in) :: n

        real(wp) :: matrix(width, lane_rows, n + 1), block(width, lane_rows, n + 1), head(width, n, n + 1)
        real(wp) :: products(width, n, n + 1), sound(width), work(width, n + 1, 2), wanted(width), worst
        integer :: i, round

        call random_number(matrix)
        matrix = matrix - 0.5_wp
        matrix(1, :, 1) = 0.0_wp
        matrix(2, :, 1) = ieee_value(1.0_wp, ieee_quiet_nan)
        matrix(3, :, :) = 1.0e145_wp*matrix(3, :, :)
        matrix(4, :, :) = 1.0e-145_wp*matrix(4, :, :)
        matrix(5, :, n) = matrix(5, :, max(1, n - 1)) + 1.0e-5_wp*matrix(5, :, n)
        matrix(6, :, n) = matrix(6, :, max(1, n - 1)) + 1.0e-2_wp*matrix(6, :, n)
        wanted = 1.0_wp
        wanted(2:4) = 0.0_wp
        if (n > 1) wanted(5) = 0.0_wp
        head = 0.0_wp
        products = 0.0_wp
        do round = 1, 2
            block = matrix
            call add_products(lane_rows - round, n, block, products)
            call fold_rows(lane_rows - round, n, block, head, work)
        end do
        call factor_products(n, products, sound)
        call check(all(sound == wanted), "columns nearly dependent among "//digits_of(n))
        worst = 0.0_wp
        do i = 1, n
            worst = max(worst, maxval(abs(abs(products([1, 6, 7, 8], i, i:)) - abs(head([1, 6, 7, 8], i, i:)))))
        end do
        call check_at_most(worst, 1.0e6_wp*eps, "triangles of "//digits_of(n)//" columns from inner products")
        call take_others(n, sound, head, products)
        do i = 1, n
            call check(all(products(3:5, i, i:) == head(3:5, i, i:) .or. spread(wanted(3:5) == 1.0_wp, 2, n + 2 - i)), &
                       "rows by reflections")
        end do
    end subroutine check_products

end program test_products
