! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Random matrices that are the same with every compiler, and what the tests measure on factorisations.
module matrices
    use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
    use kinds, only: wp, long
    implicit none (type, external)
    private
    public :: random_matrix, random_vector, graded_matrix, upper_triangle, is_permutation, scaled_difference, &
              length, column_norms, greatest

    !> Largest absolute value of a vector or matrix; NaN if there is any, which maxval would pass over.
    interface greatest
        module procedure greatest_of_vector, greatest_of_matrix
    end interface greatest

    integer(long) :: state = 20240229_long

contains

    !> Next number, uniform in (-1, 1).
    !>
    !> Reference: S. K. Park, K. W. Miller, Random number generators: good ones are hard to find,
    !> Comm. ACM 31 (1988) 1192-1201.
    function next_random() result(number)
        real(wp) :: number

        integer(long), parameter :: modulus = 2147483647_long, multiplier = 16807_long

        state = mod(multiplier*state, modulus)
        number = 2.0_wp*real(state, wp)/real(modulus, wp) - 1.0_wp
    end function next_random

    !> Vector with entries uniform in (-1, 1).
    function random_vector(n) result(x)
        integer, intent(in) :: n                !! number of entries
        real(wp) :: x(n)

        integer :: i

        do i = 1, n
            x(i) = next_random()
        end do
    end function random_vector

    !> Matrix with entries uniform in (-1, 1).
    function random_matrix(m, n) result(a)
        integer, intent(in) :: m                !! rows
        integer, intent(in) :: n                !! columns
        real(wp) :: a(m, n)

        integer :: j

        do j = 1, n
            a(:, j) = random_vector(m)
        end do
    end function random_matrix

    !> Random matrix whose columns shrink by a factor each and come in no particular order.
    function graded_matrix(m, n, factor) result(a)
        integer, intent(in) :: m                !! rows
        integer, intent(in) :: n                !! columns
        real(wp), intent(in) :: factor          !! norm of a column relative to that of the next larger
        real(wp) :: a(m, n)

        integer :: j

        a = random_matrix(m, n)
        do j = 1, n
            a(:, j) = a(:, j)*factor**modulo(3*j, n)
        end do
    end function graded_matrix

    !> The matrix with zeros below its diagonal.
    pure function upper_triangle(a) result(r)
        real(wp), intent(in) :: a(:, :)         !! any matrix with at least as many rows as columns
        real(wp) :: r(size(a, 2), size(a, 2))

        integer :: j

        r = 0.0_wp
        do j = 1, size(a, 2)
            r(:j, j) = a(:j, j)
        end do
    end function upper_triangle

    !> Whether the indices are 1 to n in some order.
    pure function is_permutation(indices) result(valid)
        integer, intent(in) :: indices(:)       !! the order claimed
        logical :: valid

        integer :: j

        valid = .true.
        do j = 1, size(indices)
            valid = valid .and. count(indices == j) == 1
        end do
    end function is_permutation

    !> Euclidean norms of the columns.
    pure function column_norms(a) result(norms)
        real(wp), intent(in) :: a(:, :)         !! any matrix
        real(wp) :: norms(size(a, 2))

        integer :: j

        do j = 1, size(a, 2)
            norms(j) = length(a(:, j))
        end do
    end function column_norms

    !> Euclidean norm, brought into the middle of the number range by a power of 2 and back.
    pure function length(x) result(norm)
        real(wp), intent(in) :: x(:)            !! any vector
        real(wp) :: norm

        integer :: power

        power = exponent(maxval(abs(x)))
        norm = scale(sqrt(sum(scale(x, -power)**2)), power)
    end function length

    pure function greatest_of_vector(x) result(value)
        real(wp), intent(in) :: x(:)            !! any vector
        real(wp) :: value

        integer :: i

        value = 0.0_wp
        do i = 1, size(x)
            if (.not. abs(x(i)) <= value) value = abs(x(i))
            if (ieee_is_nan(value)) return
        end do
    end function greatest_of_vector

    pure function greatest_of_matrix(a) result(value)
        real(wp), intent(in) :: a(:, :)         !! any matrix
        real(wp) :: value

        value = greatest_of_vector(pack(a, .true.))
    end function greatest_of_matrix

    !> Largest |a - b| relative to the products of the scales of row and column; NaN if there is any.
    pure function scaled_difference(a, b, scale) result(largest_error)
        real(wp), intent(in) :: a(:, :)         !! a matrix
        real(wp), intent(in) :: b(:, :)         !! another
        real(wp), intent(in) :: scale(:)        !! scale of each row and column; where it is zero a and b must agree
        real(wp) :: largest_error

        real(wp) :: error(size(a, 1), size(a, 2))
        integer :: i, j

        error = a - b
        do j = 1, size(a, 2)
            do i = 1, size(a, 1)
                if (abs(error(i, j)) > 0.0_wp) error(i, j) = error(i, j)/(scale(i)*scale(j))
            end do
        end do
        largest_error = greatest(error)
    end function scaled_difference

end module matrices
