! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Euclidean norm without destructive overflow or underflow.
module norms
    use kinds, only: wp, largest, row_block
    implicit none (type, external)
    private
    public :: enorm, reordered_norm, column_norms, is_finite

    ! Entries between these bounds (the upper one divided by their number) can be squared and added safely.
    real(wp), parameter :: small = 3.834e-20_wp
    real(wp), parameter :: large = 1.304e19_wp
    !> A mean square from which on no entry below `small` can have left a trace in the sum, (small/eps)**2.
    real(wp), parameter :: traceless = 3.0e-8_wp

contains

    !> Euclidean norm of a vector.
    !>
    !> Up to `row_block` entries are squared and added in the plain order; longer sums are split over SIMD
    !> lanes. Unless that sum shows that no entry was so small or large that its square could underflow or
    !> overflow, each range gets a sum of its own, scaled by its largest entry. NaN makes it NaN, one Inf
    !> makes it Inf, and several make it NaN.
    !>
    !> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, User guide for MINPACK-1, ANL-80-74 (1980), ENORM.
    !> Differs from MINPACK-1: extreme entries are looked at only when there are any; long sums are reordered.
    pure function enorm(n, x) result(norm)
        integer, intent(in) :: n            !! number of entries, n >= 0
        real(wp), intent(in) :: x(n)        !! the vector
        real(wp) :: norm

        real(wp) :: total
        integer :: i

        if (n > row_block) then
            norm = reordered_norm(n, x)
            return
        end if
        total = 0.0_wp
        do i = 1, n
            total = total + x(i)*x(i)
        end do
        norm = norm_from_sum(n, x, total)
    end function enorm

    !> Euclidean norm of a vector, the sum split over SIMD lanes whatever its length.
    pure function reordered_norm(n, x) result(norm)
        integer, intent(in) :: n            !! number of entries, n >= 0
        real(wp), intent(in) :: x(n)        !! the vector
        real(wp) :: norm

        real(wp) :: total
        integer :: i

        total = 0.0_wp
        !$omp simd reduction(+:total)
        do i = 1, n
            total = total + x(i)*x(i)
        end do
        ! Far from where squares underflow or overflow; to the last bit this sum is like no other anyway.
        if (total >= 1.0e-280_wp .and. total <= 1.0e280_wp) then
            norm = sqrt(total)
        else
            norm = norm_in_ranges(n, x)
        end if
    end function reordered_norm

    !> Euclidean norms of the columns of a matrix: what `enorm` gives for each.
    !>
    !> A sum in the plain order waits for one addition after the other, so those of four columns are under way at once.
    pure subroutine column_norms(m, n, a, norms)
        integer, intent(in) :: m            !! rows; up to row_block of them norms are those of enorm to the last bit
        integer, intent(in) :: n            !! columns
        real(wp), intent(in) :: a(m, n)     !! the matrix
        real(wp), intent(out) :: norms(n)   !! the norms

        real(wp) :: one, two, three, four
        integer :: i, j, first

        first = 1
        do j = 1, n - 3, 4
            first = j + 4
            one = 0.0_wp
            two = 0.0_wp
            three = 0.0_wp
            four = 0.0_wp
            do i = 1, m
                one = one + a(i, j)*a(i, j)
                two = two + a(i, j + 1)*a(i, j + 1)
                three = three + a(i, j + 2)*a(i, j + 2)
                four = four + a(i, j + 3)*a(i, j + 3)
            end do
            norms(j) = norm_from_sum(m, a(1, j), one)
            norms(j + 1) = norm_from_sum(m, a(1, j + 1), two)
            norms(j + 2) = norm_from_sum(m, a(1, j + 2), three)
            norms(j + 3) = norm_from_sum(m, a(1, j + 3), four)
        end do
        do j = first, n
            norms(j) = enorm(m, a(1, j))
        end do
    end subroutine column_norms

    !> Whether a number is neither NaN nor infinite.
    elemental function is_finite(x) result(finite)
        real(wp), intent(in) :: x           !! any number
        logical :: finite

        finite = abs(x) <= largest
    end function is_finite

    !> Norm from the plain sum of squares, where that shows that no entry was too small or large for it.
    pure function norm_from_sum(n, x, total) result(norm)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(in) :: total
        real(wp) :: norm

        if (total >= n*traceless .and. total <= (large/n)**2) then
            norm = sqrt(total)
        else
            norm = norm_in_ranges(n, x)
        end if
    end function norm_from_sum

    !> Norm with a sum of its own for large, ordinary and small entries.
    pure function norm_in_ranges(n, x) result(norm)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp) :: norm

        real(wp) :: entry, most_large, most_small, large_sum, ordinary_sum, small_sum
        integer :: i

        most_large = 0.0_wp
        most_small = 0.0_wp
        large_sum = 0.0_wp
        ordinary_sum = 0.0_wp
        small_sum = 0.0_wp
        do i = 1, n
            entry = abs(x(i))
            if (entry > small .and. entry < large/n) then
                ordinary_sum = ordinary_sum + entry*entry
            else if (entry <= small) then
                if (entry > 0.0_wp) call add_scaled_square(entry, most_small, small_sum)
            else  ! large, Inf or NaN
                call add_scaled_square(entry, most_large, large_sum)
            end if
        end do

        if (large_sum /= 0.0_wp) then
            norm = most_large*sqrt(large_sum + (ordinary_sum/most_large)/most_large)
        else if (ordinary_sum > 0.0_wp .and. ordinary_sum >= most_small) then
            norm = sqrt(ordinary_sum*(1.0_wp + (most_small/ordinary_sum)*(most_small*small_sum)))
        else if (ordinary_sum > 0.0_wp) then
            norm = sqrt(most_small*(ordinary_sum/most_small + most_small*small_sum))
        else
            norm = most_small*sqrt(small_sum)
        end if
    end function norm_in_ranges

    !> Add entry**2 to the sum scale**2 * total, keeping the largest entry as the scale.
    pure subroutine add_scaled_square(entry, scale, total)
        real(wp), intent(in) :: entry
        real(wp), intent(inout) :: scale
        real(wp), intent(inout) :: total

        if (entry > scale) then
            total = 1.0_wp + total*(scale/entry)**2
            scale = entry
        else
            total = total + (entry/scale)**2
        end if
    end subroutine add_scaled_square

end module norms
